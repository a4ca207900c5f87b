import BSON
import BackupModel

/// Carries renames into a view's definition: what it is on, and what its stages read.
struct ViewRenamer {
    /// The renames.
    let map: NamespaceMap
    /// The view's name in the backup.
    let source: Namespace
    /// The view's name in the target.
    let target: Namespace

    /// The view's options with every collection under its new name.
    ///
    /// - Throws: `RestoreFailure` when a collection that the view reads goes to another database: views can't.
    func rename(_ options: BSONDocument) throws -> BSONDocument {
        var options = options
        if let on = options["viewOn"]?.string {
            options = options.replacing("viewOn", with: .string(try renamed(on)))
        }
        if let pipeline = options["pipeline"]?.array {
            options = options.replacing("pipeline", with: .array(try pipeline.map(stage)))
        }
        return options
    }

    private func renamed(_ collection: String) throws -> String {
        let read = Namespace(database: source.database, collection: collection)
        guard let new = map.target(of: read), new.database == target.database else {
            throw RestoreFailure.badSelection(
                "the view \(source) reads \(read), and after the renames they would be in different databases: "
                    + "exclude the view, or rename both into one database"
            )
        }
        return new.collection
    }

    private func stage(_ value: BSONValue) throws -> BSONValue {
        guard let document = value.document, let key = document.keys.first, let body = document[key] else {
            return value
        }
        switch key {
        case "$lookup", "$graphLookup":
            return .document([key: try reading("from", body)])
        case "$unionWith":
            if let name = body.string { return .document([key: .string(try renamed(name))]) }
            return .document([key: try reading("coll", body)])
        case "$facet":
            guard let facets = body.document else { return value }
            let renamedFacets = try facets.elements.map { ($0.key, try pipeline($0.value)) }
            return .document([key: .document(BSONDocument(renamedFacets))])
        default:
            return value
        }
    }

    private func reading(_ field: String, _ body: BSONValue) throws -> BSONValue {
        guard var document = body.document else { return body }
        if let name = document[field]?.string {
            document = document.replacing(field, with: .string(try renamed(name)))
        }
        if let inner = document["pipeline"] { document = document.replacing("pipeline", with: try pipeline(inner)) }
        return .document(document)
    }

    private func pipeline(_ value: BSONValue) throws -> BSONValue {
        guard let stages = value.array else { return value }
        return .array(try stages.map(stage))
    }
}
