import BSON
import BackupModel

/// One collection that will be there afterwards.
struct PlannedCollection: Sendable {
    /// Its name in the backup.
    var source: Namespace
    /// Its name in the target.
    var target: Namespace
    /// How it is created.
    var metadata: CollectionMetadata
    /// Path of its documents in the snapshot.
    var dataPath: String?
    /// What the manifest says of them.
    var promised: PromisedContent?

    /// Where the documents are inserted: into the buckets for a time series.
    var dataTarget: Namespace { metadata.kind == .timeSeries ? target.buckets : target }
    /// Where the documents were.
    var dataSource: Namespace { metadata.kind == .timeSeries ? source.buckets : source }
    /// Whether the server lets nobody drop it, so that it is emptied instead.
    var isUndroppable: Bool { target.collection.hasPrefix("system.") && target.timeSeries == nil }
}

/// What a restore is going to do, decided before anything is written.
struct RestorePlan: Sendable {
    /// Collections and time series, in the order of their names.
    var collections: [PlannedCollection] = []
    /// Views, each after what it reads.
    var views: [PlannedCollection] = []
    /// Documents of `admin.system.users`, when users and roles are wanted and there.
    var users: DumpedCollection?
    /// Documents of `admin.system.roles`, when users and roles are wanted and there.
    var roles: DumpedCollection?
    /// Whether `admin.system.users` and `admin.system.roles` are to be restored.
    var restoresUsers = false
    /// What an operator should know.
    var warnings: [String] = []

    /// All that will be created, views last.
    var all: [PlannedCollection] { collections + views }

    /// Decides what to restore.
    ///
    /// - Throws: `RestoreFailure` when nothing is selected, or two things would have one name, or a name is one that
    ///   the server wouldn't take.
    ///
    /// - Parameters:
    ///   - catalog: what the snapshot holds.
    ///   - map: selection and renames.
    ///   - usersAndRoles: whether they are wanted.
    ///   - mayBeEmpty: whether nothing is enough: a shard of a cluster may hold nothing.
    init(catalog: DumpedCatalog, map: NamespaceMap, usersAndRoles: Bool, mayBeEmpty: Bool = false) throws {
        for dumped in catalog.collections where map.selects(dumped.namespace) {
            let planned = try Self.planned(dumped, map)
            if planned.metadata.kind == .view {
                views.append(planned)
            } else {
                collections.append(planned)
            }
        }
        restoresUsers = usersAndRoles && map.isEverything && catalog.users != nil
        if restoresUsers {
            users = catalog.users
            roles = catalog.roles
        }
        guard !collections.isEmpty || !views.isEmpty || restoresUsers || mayBeEmpty else {
            if map.isEverything { throw RestoreFailure.badSelection("the snapshot holds no collection") }
            let some = catalog.collections.prefix(10).map(\.namespace.description).joined(separator: ", ")
            throw RestoreFailure.badSelection(
                "the selection matches none of the \(catalog.collections.count) collections in the snapshot, "
                    + "which holds \(some)\(catalog.collections.count > 10 ? ", …" : "")"
            )
        }
        try Self.refuseCollisions(collections + views)
        views = Self.inOrder(views)
        warnings = catalog.leftOut
        if usersAndRoles && !map.isEverything && catalog.users != nil {
            warnings.append("users and roles are not restored, because only a part of the backup is")
        }
    }

    private static func planned(_ dumped: DumpedCollection, _ map: NamespaceMap) throws -> PlannedCollection {
        let source = dumped.namespace
        guard let target = map.target(of: source) else {
            throw RestoreFailure.badSelection("the rename of \(source) makes a name without a dot")
        }
        if target != source, !map.moves(source) { try checkRename(source, target) }
        var metadata = dumped.metadata
        if metadata.kind == .view, map.hasRenames {
            metadata.options = try ViewRenamer(map: map, source: source, target: target).rename(metadata.options)
        }
        return PlannedCollection(
            source: source,
            target: target,
            metadata: metadata,
            dataPath: dumped.dataPath,
            promised: dumped.promised
        )
    }

    private static func checkRename(_ source: Namespace, _ target: Namespace) throws {
        func refuse(_ reason: String) -> JobFailure {
            RestoreFailure.badSelection("\(source) can't be renamed to \(target): \(reason)")
        }
        if let illegality = target.illegality { throw refuse(illegality) }
        if Namespace.systemDatabases.contains(target.database) { throw refuse("that database belongs to the server") }
        if target.collection.hasPrefix("system.") && target.collection != source.collection {
            throw refuse("names that begin with system. belong to the server")
        }
    }

    private static func refuseCollisions(_ all: [PlannedCollection]) throws {
        var taken: [Namespace: Namespace] = [:]
        for planned in all {
            for name in Set([planned.target, planned.dataTarget]) {
                if let other = taken.updateValue(planned.source, forKey: name) {
                    throw RestoreFailure.badSelection(
                        "\(other) and \(planned.source) would both become \(name): change the renames"
                    )
                }
            }
        }
    }

    /// Views after the views that they read; the server takes any order, but checks collations on the way.
    static func inOrder(_ views: [PlannedCollection]) -> [PlannedCollection] {
        let byName = Dictionary(views.map { ($0.target, $0) }) { first, _ in first }
        var ordered: [PlannedCollection] = []
        var seen: Set<Namespace> = []
        func visit(_ view: PlannedCollection) {
            guard seen.insert(view.target).inserted else { return }
            if let on = view.metadata.options["viewOn"]?.string,
                let below = byName[Namespace(database: view.target.database, collection: on)]
            {
                visit(below)
            }
            ordered.append(view)
        }
        for view in views { visit(view) }
        return ordered
    }
}
