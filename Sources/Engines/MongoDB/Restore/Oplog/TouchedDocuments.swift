import BSON

/// What the oplog does to single documents in the end, known before it is applied: so what is there afterwards can be
/// compared with what must be there, document by document.
///
/// Kept by 64-bit hashes; it gives up beyond `limit` documents rather than take memory without bound.
struct TouchedDocuments: Sendable {
    /// What becomes of one document.
    private struct Fate: OptionSet {
        let rawValue: UInt8
        /// It is there in the end.
        static let exists = Fate(rawValue: 1)
        /// The first that happened to it was an update: it must have been there before.
        static let begunByUpdate = Fate(rawValue: 2)
        /// It was seen in the target before the oplog was applied.
        static let wasThere = Fate(rawValue: 4)
    }

    /// About 64 MiB of memory.
    static let limit = 2_000_000

    private var fates: [Namespace: [UInt64: Fate]] = [:]
    /// What a collection in the end was called when it was loaded; nil for one that the oplog makes; absent for one that
    /// keeps its name.
    private var origins: [Namespace: Namespace?] = [:]
    private var count = 0
    /// Whether there were too many to follow.
    private(set) var hasGivenUp = false
    /// Collections in which documents can go without an operation of their own, or that were emptied or converted.
    private(set) var unpredictable: Set<Namespace> = []

    /// Collections of the target whose documents the oplog touches.
    var namespaces: [Namespace] { fates.keys.sorted() }

    /// The name under which a collection in the end was loaded; nil when it was not.
    func origin(of namespace: Namespace) -> Namespace? {
        if let known = origins[namespace] { return known }
        return namespace
    }

    /// The name that a loaded collection has in the end; nil when it is gone.
    private func destination(of loaded: Namespace) -> Namespace? {
        if origins[loaded] == nil { return loaded }
        return origins.first { $0.value == loaded }?.key
    }

    /// Takes note of an operation in the order of the oplog.
    mutating func note(_ operation: ReplayOperation) throws {
        guard operation.kind != .command else {
            try noteCommand(operation)
            return
        }
        guard !hasGivenUp else { return }
        let holder = operation.kind == .update ? operation.key ?? operation.object : operation.object
        guard let id = try Self.hashOfID(holder.span.bytes, at: 0) else { return }
        var fate = fates[operation.namespace]?[id]
        if fate == nil {
            count += 1
            fate = operation.kind == .update && !operation.isUpsert ? .begunByUpdate : []
        }
        if operation.kind == .delete { fate?.remove(.exists) } else { fate?.insert(.exists) }
        fates[operation.namespace, default: [:]][id] = fate
        if count > Self.limit {
            hasGivenUp = true
            fates = [:]
        }
    }

    private mutating func noteCommand(_ operation: ReplayOperation) throws {
        let command: BSONDocument
        do throws(BSONError) {
            command = try BSONDocument(validating: operation.object)
        } catch {
            throw RestoreFailure.badOplog("a command is not valid BSON: \(error)")
        }
        guard let verb = command.keys.first, let name = command[verb]?.string else { return }
        let namespace = Namespace(database: operation.namespace.database, collection: name)
        switch verb {
        case "drop":
            for gone in [namespace, namespace.buckets] {
                fates[gone] = nil
                unpredictable.remove(gone)
                origins[gone] = .some(nil)
            }
        case "renameCollection":
            guard let from = Namespace(name), let to = command["to"]?.string.flatMap({ Namespace($0) }) else { return }
            fates[to] = fates.removeValue(forKey: from)
            origins[to] = .some(origin(of: from))
            origins[from] = .some(nil)
            if unpredictable.remove(from) != nil { unpredictable.insert(to) } else { unpredictable.remove(to) }
        case "create":
            for new in [namespace, namespace.buckets] { origins[new] = .some(nil) }
            if command["capped"]?.truth == true { unpredictable.insert(namespace) }
        case "convertToCapped", "emptycapped": unpredictable.insert(namespace)
        default: break
        }
    }

    /// Sees a loaded document before the oplog is applied, by the hash of its `_id`; true when the oplog touches it.
    mutating func see(_ id: UInt64?, in namespace: Namespace) -> Bool {
        guard let id, let namespace = destination(of: namespace), fates[namespace]?[id] != nil else { return false }
        fates[namespace]?[id]?.insert(.wasThere)
        return true
    }

    /// Whether the oplog touches a document, and whether it is to be there.
    func fate(_ bytes: RawSpan, at start: Int, in namespace: Namespace) throws(BSONError) -> (
        isTouched: Bool, exists: Bool
    ) {
        guard let id = try Self.hashOfID(bytes, at: start), let fate = fates[namespace]?[id] else {
            return (false, true)
        }
        return (true, fate.contains(.exists))
    }

    /// How many touched documents are to be there in the end.
    func expected(in namespace: Namespace) -> Int64 {
        Int64(fates[namespace]?.values.count { $0.contains(.exists) } ?? 0)
    }

    /// How many documents are updated that were neither in the data nor inserted before: a hole in the snapshot.
    func holes(in namespace: Namespace) -> Int {
        fates[namespace]?.values.count {
            $0.contains(.begunByUpdate) && $0.contains(.exists) && !$0.contains(.wasThere)
        } ?? 0
    }

    /// What documents are known by here.
    static func hashOfID(_ bytes: RawSpan, at start: Int) throws(BSONError) -> UInt64? {
        guard let id = try BSONView.idElement(bytes, documentAt: start) else { return nil }
        return DocumentChecksum.hash(bytes.extracting(id.value)) &+ UInt64(id.type.rawValue)
    }
}
