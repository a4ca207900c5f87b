import BackupModel

/// All sessions of the cluster as this leader wrote them: the mirror in memory that reads are answered from.
struct SessionShelf: Sendable {
    /// One session and its object.
    struct Entry: Sendable {
        var kind: SessionView.Kind
        /// The object's identity.
        var uid: String
        /// The object's version as we know it.
        var resourceVersion: String
        /// The generation of its spec as we know it.
        var generation: Int64
        /// The object is gone although nobody waited for us: nothing can be written to it any more.
        var isGone = false
        fileprivate(set) var summary: Summary
        fileprivate var content: Content

        init(kind: SessionView.Kind, uid: String, resourceVersion: String, generation: Int64, record: SessionRecord) {
            self.kind = kind
            self.uid = uid
            self.resourceVersion = resourceVersion
            self.generation = generation
            summary = Summary(record)
            content = .live(record)
            set(record)
        }

        /// What is written in it.
        var record: SessionRecord {
            get throws(StoreError) {
                switch content {
                case .live(let record): return record
                case .packed(let bytes):
                    do {
                        return try WireJSON.decode(SessionRecord.self, from: try Zstandard.decompress(bytes))
                    } catch {
                        throw StoreError(description: "can't read session \(summary.key) in memory: \(error)")
                    }
                }
            }
        }

        mutating func set(_ record: SessionRecord) {
            summary = Summary(record)
            content = .live(record)
            // Of those that are over there are many, and they are hardly ever looked at. What can't be packed stays as it
            // is, which costs memory only.
            if summary.isOver, !summary.hasOpenLocks,
                let bytes = try? Zstandard.compress(try WireJSON.encode(record))
            {
                content = .packed(bytes)
            }
        }
    }

    /// What sessions are looked for by.
    struct Summary: Sendable {
        var key: ResourceKey
        var target: ResourceKey
        var phase: SessionPhase
        var isOver: Bool
        var created: Timestamp
        var hasOpenLocks: Bool

        init(_ record: SessionRecord) {
            key = record.session.key
            target = record.session.target
            phase = record.session.phase
            isOver = record.session.isOver
            created = record.session.created
            hasOpenLocks = record.locks.contains(where: \.isOpen)
        }
    }

    enum Content: Sendable {
        case live(SessionRecord)
        case packed([UInt8])
    }

    private(set) var entries: [ResourceKey: Entry] = [:]
    private var byTarget: [ResourceKey: Set<ResourceKey>] = [:]

    subscript(key: ResourceKey) -> Entry? {
        get { entries[key] }
        set {
            if let old = entries[key]?.summary.target, old != newValue?.summary.target {
                byTarget[old]?.remove(key)
                if byTarget[old]?.isEmpty == true { byTarget[old] = nil }
            }
            entries[key] = newValue
            if let target = newValue?.summary.target { byTarget[target, default: []].insert(key) }
        }
    }

    /// Changes one entry in its place.
    mutating func change(_ key: ResourceKey, _ body: (inout Entry) -> Void) {
        guard var entry = entries.removeValue(forKey: key) else { return }
        body(&entry)
        entries[key] = entry
    }

    /// Sessions that a filter wants, newest first.
    func find(_ filter: SessionFilter) -> [Entry] {
        let candidates =
            filter.target.map { target in (byTarget[target] ?? []).compactMap { entries[$0] } } ?? Array(entries.values)
        let namespace = filter.target?.namespace ?? filter.namespace
        return candidates.filter { entry in
            (namespace == nil || entry.summary.key.namespace == namespace)
                && (filter.kind == nil || entry.kind == filter.kind)
                && (filter.phase == nil || entry.summary.phase == filter.phase)
                && (filter.isActive == nil || entry.summary.isOver != filter.isActive)
        }
        .sorted { ($0.summary.created, $0.summary.key.name) > ($1.summary.created, $1.summary.key.name) }
        .prefix(filter.limit).map { $0 }
    }
}
