import BSON
import BackupModel

/// Follows what exists in the backup while its oplog passes by, and says what to do with each operation.
///
/// Pure. Names in it are those of the backup; what it returns speaks of the target. The data may be later than the
/// oplog's begin (it was read while the oplog grew), so things may be there that are yet to be created, and gone that
/// are yet to be dropped: only what the oplog itself explains away is passed over, everything else is an error.
struct ReplayModel: Sendable {
    /// Where the users and roles of the backup are gathered before they are merged.
    struct UserStores: Sendable {
        var users: Namespace
        var roles: Namespace
    }

    private let map: NamespaceMap
    private let scan: OplogScan
    private let userStores: UserStores?
    /// Collections by the UUID they had in the backup.
    private var byUUID: [[UInt8]: Namespace] = [:]
    /// Collections that are in the target, with their UUID in the backup where it is known.
    private var present: [Namespace: [UInt8]?] = [:]
    /// UUIDs that the target's collections have too.
    private var kept: Set<[UInt8]>
    /// UUIDs of collections that the oplog creates under names that aren't selected and later renames to one that is,
    /// as `$out` does: all that is in them is in the oplog.
    private var adopted: Set<[UInt8]> = []
    /// The names that they have in the target until then.
    private(set) var adoptedNames: Set<Namespace> = []
    /// UUIDs that something else in the target has.
    private let taken: Set<[UInt8]>
    /// Operations passed over because the oplog explains it.
    private(set) var passedOver: Int64 = 0
    /// Indexes as they shall be in the end.
    private(set) var indexes = IndexCatalog()
    /// `expireAfterSeconds` of collections as it shall be in the end; `off` removes it.
    private(set) var expiries: [Namespace: BSONValue] = [:]
    /// Views that shall exist in the end, with their definition where the oplog told another than the plan's.
    private(set) var views: [Namespace: BSONDocument?] = [:]

    /// Collections that shall exist in the end, those of buckets under their own names.
    var collections: [Namespace] { present.keys.sorted() }

    /// Begins with what has been restored.
    ///
    /// - Parameters:
    ///   - plan: what has been created and loaded.
    ///   - map: selection and renames.
    ///   - scan: what the oplog is going to do.
    ///   - uuids: by name in the backup, the UUID of each collection where it is known.
    ///   - kept: UUIDs that could be kept.
    ///   - taken: UUIDs of everything else in the target.
    ///   - userStores: nil when users and roles are not restored.
    init(
        plan: RestorePlan,
        map: NamespaceMap,
        scan: OplogScan,
        uuids: [Namespace: [UInt8]],
        kept: Set<[UInt8]>,
        taken: Set<[UInt8]>,
        userStores: UserStores?
    ) {
        self.map = map
        self.scan = scan
        self.kept = kept
        self.taken = taken
        self.userStores = userStores
        for collection in plan.collections {
            let name = collection.dataSource
            let uuid = uuids[name]
            present[name] = .some(uuid)
            if let uuid { byUUID[uuid] = name }
            indexes.set(collection.metadata.secondaryIndexes, for: name.known)
            if let expiry = collection.metadata.expiry { expiries[name.known] = expiry }
        }
        for view in plan.views {
            views[view.source] = .some(nil)
        }
    }

    /// What to do with an operation; nothing when it doesn't matter.
    ///
    /// - Throws: `RestoreFailure` when it can't be applied and the oplog doesn't say why.
    mutating func steps(for operation: OplogOperation) throws -> [ReplayOperation] {
        let database = operation.namespace.database
        if operation.kind == .note || database == "local" { return [] }
        // Of the config server's own only the routing table is wanted, and nobody changes that but by its documents.
        if database == "config", !map.moves(operation.namespace) { return [] }
        if operation.kind == .command { return try steps(for: try OplogCommand(operation), operation) }
        if database == "admin", operation.namespace.collection.hasPrefix("system.") {
            return userSteps(operation)
        }
        switch operation.namespace.collection {
        case "system.views":
            try noteView(operation)
            return []
        case "system.profile": return []
        default: break
        }
        guard let name = try resolve(operation) else { return [] }
        return [mapped(operation, name)]
    }

    // MARK: Documents

    /// The collection that an operation is about, by its name now; nil when it needn't be applied.
    private mutating func resolve(_ operation: OplogOperation, named name: Namespace? = nil) throws -> Namespace? {
        let name = name ?? operation.namespace
        if let uuid = operation.uuid, let found = byUUID[uuid] { return found }
        if let known = present[name] {
            // Either side may not know its UUID; two that are known and differ are two collections.
            if known == nil || operation.uuid == nil || known == operation.uuid { return name }
        }
        if !map.selects(name) || scan.isDropped(uuid: operation.uuid, name, after: operation.time) {
            passedOver += 1
            return nil
        }
        throw RestoreFailure.badOplog(
            "the entry at \(operation.time) writes to \(name), which is neither in the snapshot nor created by the oplog"
        )
    }

    private func mapped(_ operation: OplogOperation, _ name: Namespace) -> ReplayOperation {
        let uuid = present[name].flatMap { $0 }.flatMap { kept.contains($0) ? $0 : nil }
        return ReplayOperation(operation, to: map.target(of: name) ?? name, uuid: uuid)
    }

    private mutating func userSteps(_ operation: OplogOperation) -> [ReplayOperation] {
        let store: Namespace? =
            switch operation.namespace.collection {
            case "system.users": userStores?.users
            case "system.roles": userStores?.roles
            default: nil
            }
        return store.map { [ReplayOperation(operation, to: $0)] } ?? []
    }

    // MARK: Views

    /// A view is a document in `system.views`, named by its `_id` and always written whole.
    ///
    /// Views are created when everything else is there, so it is enough to know what they come to.
    private mutating func noteView(_ operation: OplogOperation) throws {
        let document: BSONDocument
        do {
            document = try BSONDocument(validating: operation.object)
        } catch {
            throw RestoreFailure.badOplog("the entry at \(operation.time) is not valid BSON: \(error)")
        }
        guard let view = document["_id"]?.string.flatMap({ Namespace($0) }) else {
            throw RestoreFailure.badOplog("the entry at \(operation.time) changes a view without telling which")
        }
        guard map.selects(view) else { return }
        if operation.kind == .delete {
            views[view] = nil
        } else if let on = document["viewOn"]?.string, !on.hasPrefix(Namespace.bucketsPrefix) {
            views[view] = .some(document.removing("_id"))
        }
    }

    // MARK: Commands

    private mutating func steps(for command: OplogCommand, _ operation: OplogOperation) throws -> [ReplayOperation] {
        let database = operation.namespace.database
        func full(_ name: String) -> Namespace { Namespace(database: database, collection: name) }
        switch command {
        case .ignored, .commitTransaction, .abortTransaction, .operations: return []
        case .create(let name, let document): return create(full(name), document, operation)
        case .drop(let name): return drop(full(name), operation)
        case .dropDatabase: return dropDatabase(database, operation)
        case .rename(let from, let to, _): return try rename(from, to, operation)
        case .modify(let name, let document): return try modify(full(name), document, operation)
        case .createIndexes(let name, let specs):
            guard let found = try resolve(operation, named: full(name)) else { return [] }
            for spec in specs {
                // An index of a time series remembers what it was asked for, which is what can be asked for again.
                if found != found.known, let original = spec["originalSpec"]?.document {
                    indexes.add(original, to: found.known)
                } else {
                    indexes.add(spec.removing("ns"), to: found)
                }
            }
            return []
        case .dropIndex(let name, let index, let key):
            guard let found = try resolve(operation, named: full(name)) else { return [] }
            indexes.remove(name: index, key: key, from: found)
            return []
        case .passed(let name, let document):
            guard let found = try resolve(operation, named: full(name)), let target = map.target(of: found),
                let verb = document.keys.first
            else { return [] }
            return [direct(target, document.replacing(verb, with: .string(target.collection)), operation)]
        }
    }

    private func commandStep(
        _ target: Namespace,
        _ document: BSONDocument,
        _ operation: OplogOperation,
        uuid: [UInt8]? = nil
    ) -> ReplayOperation {
        ReplayOperation(
            kind: .command,
            namespace: Namespace(database: target.database, collection: "$cmd"),
            uuid: uuid,
            object: document.bytes,
            time: operation.time
        )
    }

    private func direct(_ target: Namespace, _ document: BSONDocument, _ operation: OplogOperation) -> ReplayOperation {
        var step = commandStep(target, document, operation)
        step.isDirect = true
        return step
    }

    private mutating func create(
        _ name: Namespace,
        _ document: BSONDocument,
        _ operation: OplogOperation
    ) -> [ReplayOperation] {
        let isSelected = map.selects(name)
        guard let target = map.target(of: name), isSelected || arrivesSelected(operation.uuid) else { return [] }
        if name.database == "admin", name.collection.hasPrefix("system.") { return [] }
        if name.collection == "system.views" || name.collection == "system.profile" { return [] }
        if let uuid = operation.uuid, byUUID[uuid] != nil { return [] }
        if present[name] != nil {
            passedOver += 1
            return []
        }
        if !isSelected, let uuid = operation.uuid {
            adopted.insert(uuid)
            adoptedNames.insert(target.known)
        }
        if name != name.known { return createSeries(name, target.known, document, operation) }
        var uuid = operation.uuid
        if map.hasRenames || uuid.map(taken.contains) == true { uuid = nil }
        present[name] = .some(operation.uuid)
        if let original = operation.uuid { byUUID[original] = name }
        if let uuid { kept.insert(uuid) }
        indexes.removeAll(of: name)
        let metadata = CollectionMetadata(
            name: nil,
            kind: .collection,
            options: document,
            indexes: document["idIndex"]?.document.map { [$0] } ?? [],
            uuid: uuid
        )
        expiries[name.known] = metadata.expiry
        return [commandStep(target, metadata.createCommand(as: target.collection), operation, uuid: uuid)]
    }

    /// Whether a collection is renamed to a selected name sooner or later.
    private func arrivesSelected(_ uuid: [UInt8]?) -> Bool {
        uuid.flatMap { scan.destinations[$0] }?.contains { map.selects($0) } ?? false
    }

    /// The buckets of a time series are created by creating the time series.
    private mutating func createSeries(
        _ name: Namespace,
        _ target: Namespace,
        _ document: BSONDocument,
        _ operation: OplogOperation
    ) -> [ReplayOperation] {
        present[name] = .some(operation.uuid)
        if let original = operation.uuid { byUUID[original] = name }
        indexes.removeAll(of: name)
        expiries[name.known] = document["expireAfterSeconds"]
        var command: [(String, BSONValue)] = [("create", .string(target.collection))]
        for option in ["timeseries", "collation", "storageEngine"] {
            if let value = document[option] { command.append((option, value)) }
        }
        return [direct(target, BSONDocument(command), operation)]
    }

    private mutating func drop(_ name: Namespace, _ operation: OplogOperation) -> [ReplayOperation] {
        if name.collection == "system.views" {
            for view in views.keys where view.database.isExactly(name.database) { views[view] = nil }
            return []
        }
        let found: Namespace
        if let uuid = operation.uuid {
            if let resolved = byUUID[uuid] {
                found = resolved
            } else if let known = present[name], known == nil {
                found = name
            } else {
                // The data is later: this one was gone when it was read.
                return []
            }
        } else if present[name] != nil {
            found = name
        } else {
            return []
        }
        forget(found)
        guard let target = map.target(of: found)?.known else { return [] }
        return [direct(target, ["drop": .string(target.collection)], operation)]
    }

    private mutating func forget(_ name: Namespace) {
        if let uuid = present[name].flatMap({ $0 }) {
            byUUID[uuid] = nil
            kept.remove(uuid)
        }
        present[name] = nil
        indexes.removeAll(of: name)
        expiries[name.known] = nil
    }

    /// Every collection's drop has its own entry; this one only has to catch what an old server left out.
    private mutating func dropDatabase(_ database: String, _ operation: OplogOperation) -> [ReplayOperation] {
        var steps: [ReplayOperation] = []
        for name in collections where name.database.isExactly(database) {
            // One that is created later was read after that; the drop is not about it.
            if scan.isCreated(uuid: present[name].flatMap { $0 }, name, after: operation.time) { continue }
            forget(name)
            guard let target = map.target(of: name)?.known else { continue }
            steps.append(direct(target, ["drop": .string(target.collection)], operation))
        }
        return steps
    }

    private mutating func rename(_ from: Namespace, _ to: Namespace, _ operation: OplogOperation) throws
        -> [ReplayOperation]
    {
        if let uuid = operation.uuid, byUUID[uuid] == to { return [] }
        guard let found = try resolve(operation, named: from) else {
            if map.selects(to), !map.selects(from) { throw crossing(from, to, operation) }
            return []
        }
        let uuid = present[found].flatMap { $0 }
        guard map.selects(to) || uuid.map(adopted.contains) == true,
            let source = map.target(of: found), let target = map.target(of: to)
        else { throw crossing(from, to, operation) }
        if let uuid, adopted.contains(uuid) {
            if map.selects(to) { adopted.remove(uuid) } else { adoptedNames.insert(target.known) }
        }
        if present[to] != nil { forget(to) }
        present[found] = nil
        present[to] = .some(uuid)
        if let uuid { byUUID[uuid] = to }
        indexes.rename(found, to: to)
        expiries[to.known] = expiries.removeValue(forKey: found.known)
        let command: BSONDocument = [
            "renameCollection": .string(source.description), "to": .string(target.description), "dropTarget": true,
        ]
        // Not by `applyOps`, which puts the target aside unless it is told the UUID that it has here.
        return [direct(Namespace(database: "admin", collection: "$cmd"), command, operation)]
    }

    private func crossing(_ from: Namespace, _ to: Namespace, _ operation: OplogOperation) -> JobFailure {
        RestoreFailure.badOplog(
            "\(from) was renamed to \(to) at \(operation.time), and only one of the two is selected: select both, or neither"
        )
    }

    private mutating func modify(_ name: Namespace, _ document: BSONDocument, _ operation: OplogOperation) throws
        -> [ReplayOperation]
    {
        guard let found = try resolve(operation, named: name), let target = map.target(of: found)?.known else {
            return []
        }
        if let change = document["index"]?.document { indexes.modify(change, in: found) }
        if let seconds = document["expireAfterSeconds"] { expiries[found.known] = seconds }
        let rest = document.removing(["index", "expireAfterSeconds"])
        guard rest.keys.count > 1 else { return [] }
        return [direct(target, rest.replacing("collMod", with: .string(target.collection)), operation)]
    }
}
