import BSON
import BackupModel

/// What the target must look like in the end: the plan, changed by what the oplog did to collections.
struct FinalState: Sendable {
    /// Every collection, time series and view.
    private(set) var expected: [ExpectedCollection] = []
    /// Indexes to build.
    private(set) var indexWork: [IndexBuilder.Work] = []
    /// `expireAfterSeconds` to set at the very end.
    private(set) var expiries: [(Namespace, BSONValue)] = []
    /// Views to create, each after what it reads.
    private(set) var views: [PlannedCollection] = []
    /// Collections that hold documents, those of time series under the names of their buckets.
    private(set) var dataNames: Set<Namespace> = []

    /// Puts the plan and the oplog's changes together.
    ///
    /// - Parameters:
    ///   - plan: what was created and loaded.
    ///   - map: selection and renames.
    ///   - model: the state after the oplog; nil without one.
    ///   - changed: what the oplog created or changed, so that its options are not those of the plan.
    /// - Throws: `RestoreFailure` when a view that the oplog made can't be carried over to its new name.
    init(plan: RestorePlan, map: NamespaceMap, model: ReplayModel?, changed: Set<Namespace>) throws {
        if let model {
            try followed(plan, map, model, changed)
        } else {
            planned(plan)
        }
    }

    private mutating func planned(_ plan: RestorePlan) {
        for collection in plan.collections {
            let indexes = collection.metadata.secondaryIndexes
            add(collection, indexes: indexes, expiry: collection.metadata.expiry)
            dataNames.insert(collection.dataTarget)
        }
        views = plan.views
        for view in views { add(view) }
    }

    private mutating func followed(
        _ plan: RestorePlan,
        _ map: NamespaceMap,
        _ model: ReplayModel,
        _ changed: Set<Namespace>
    ) throws {
        let plannedBySource = Dictionary(plan.collections.map { ($0.dataSource, $0) }) { first, _ in first }
        for source in model.collections {
            guard let target = map.target(of: source) else { continue }
            dataNames.insert(target)
            let expiry = model.expiries[source.known]
            if let planned = plannedBySource[source], !changed.contains(target), !changed.contains(target.known) {
                add(planned, indexes: model.indexes.indexes(of: source.known), expiry: expiry)
                if source != source.known { addIndexes(model.indexes.indexes(of: source), to: target) }
                continue
            }
            let specs = model.indexes.indexes(of: source)
            expected.append(ExpectedCollection(namespace: target, options: nil, indexes: specs, isComplete: false))
            addIndexes(specs, to: target)
            if source != source.known { addIndexes(model.indexes.indexes(of: source.known), to: target.known) }
            if let expiry, expiry.number != nil { expiries.append((target.known, expiry)) }
        }
        let plannedViews = Dictionary(plan.views.map { ($0.source, $0) }) { first, _ in first }
        for (source, definition) in model.views.sorted(by: { $0.key < $1.key }) {
            guard let target = map.target(of: source) else { continue }
            if let definition {
                var metadata = CollectionMetadata.unknown
                metadata.kind = .view
                metadata.options =
                    map.hasRenames
                    ? try ViewRenamer(map: map, source: source, target: target).rename(definition) : definition
                views.append(PlannedCollection(source: source, target: target, metadata: metadata))
            } else if let planned = plannedViews[source] {
                views.append(planned)
            }
        }
        views = RestorePlan.inOrder(views)
        for view in views { add(view) }
    }

    private mutating func add(_ view: PlannedCollection) {
        expected.append(
            ExpectedCollection(namespace: view.target, options: view.metadata.options, indexes: nil, isComplete: false)
        )
    }

    private mutating func add(_ collection: PlannedCollection, indexes: [BSONDocument], expiry: BSONValue?) {
        let isSeries = collection.metadata.kind == .timeSeries
        // A collMod says "off" to end it; a collection that is created without has none to end.
        let expiry = expiry?.number == nil ? nil : expiry
        var options = collection.metadata.options.removing("expireAfterSeconds")
        if let expiry { options = options.appending("expireAfterSeconds", expiry) }
        var shown = indexes
        if let id = collection.metadata.idIndex { shown.append(id) }
        expected.append(
            ExpectedCollection(
                namespace: collection.target,
                options: options,
                indexes: shown.map(Self.asListed),
                // The server gives a time series an index of its own accord, depending on its version.
                isComplete: !isSeries
            )
        )
        addIndexes(indexes, to: collection.target)
        if let expiry { expiries.append((collection.target, expiry)) }
    }

    private mutating func addIndexes(_ specs: [BSONDocument], to namespace: Namespace) {
        guard !specs.isEmpty else { return }
        indexWork.append(IndexBuilder.Work(namespace: namespace, indexes: specs))
    }

    /// `listIndexes` is silent about the simple collation.
    private static func asListed(_ spec: BSONDocument) -> BSONDocument {
        spec["collation"]?.document?["locale"]?.string == "simple" ? spec.removing("collation") : spec
    }
}
