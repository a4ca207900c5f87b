import BSON

/// The indexes that every collection shall have in the end: those of the backup, changed by what the oplog did to them.
///
/// A time series has two lists: under its own name what `listIndexes` told, in terms of measurements, and under the
/// name of its buckets what the oplog told, in terms of buckets. An index's name is in one of them only.
struct IndexCatalog: Sendable {
    private var indexes: [Namespace: [BSONDocument]] = [:]

    /// The indexes of a collection, without `_id_`, as `listIndexes` had them.
    func indexes(of namespace: Namespace) -> [BSONDocument] { indexes[namespace] ?? [] }

    /// Sets a collection's indexes.
    mutating func set(_ specs: [BSONDocument], for namespace: Namespace) { indexes[namespace] = specs }

    /// Adds an index, or replaces the one of the same name.
    mutating func add(_ spec: BSONDocument, to namespace: Namespace) {
        guard !CollectionMetadata.isIDIndex(spec) else { return }
        let name = spec["name"]?.string ?? ""
        if namespace != namespace.known { indexes[namespace.known]?.removeAll { $0.isNamed(name) } }
        var specs = indexes(of: namespace)
        if let place = specs.firstIndex(where: { $0.isNamed(name) }) {
            specs[place] = spec
        } else {
            specs.append(spec)
        }
        indexes[namespace] = specs
    }

    /// Removes an index by name (`*` is all of them) or by key; one that isn't there is gone already.
    mutating func remove(name: String?, key: BSONDocument?, from namespace: Namespace) {
        for list in Set([namespace, namespace.known]) {
            indexes[list]?.removeAll { spec in
                if let name { return name == "*" || spec.isNamed(name) }
                return key != nil && spec["key"]?.document == key
            }
        }
    }

    /// Forgets a collection.
    mutating func removeAll(of namespace: Namespace) {
        for list in Set([namespace, namespace.known]) { indexes[list] = nil }
    }

    /// Moves a collection's indexes to its new name.
    mutating func rename(_ from: Namespace, to: Namespace) {
        indexes[to] = indexes.removeValue(forKey: from)
        if from != from.known { indexes[to.known] = indexes.removeValue(forKey: from.known) }
    }

    /// Applies the `index` part of a `collMod`.
    mutating func modify(_ change: BSONDocument, in namespace: Namespace) {
        let name = change["name"]?.string
        let key = change["keyPattern"]?.document
        for list in Set([namespace, namespace.known]) { modify(change, name, key, in: list) }
    }

    private mutating func modify(_ change: BSONDocument, _ name: String?, _ key: BSONDocument?, in namespace: Namespace)
    {
        for (place, spec) in indexes(of: namespace).enumerated() {
            let isMeant = name.map(spec.isNamed) ?? (key != nil && spec["key"]?.document == key)
            guard isMeant else { continue }
            var spec = spec
            if let seconds = change["expireAfterSeconds"] { spec = spec.replacing("expireAfterSeconds", with: seconds) }
            // The server leaves these out when they are false.
            for field in ["hidden", "prepareUnique", "unique"] {
                guard let value = change[field]?.truth else { continue }
                spec = value ? spec.replacing(field, with: true) : spec.removing(field)
                if field == "unique", value { spec = spec.removing("prepareUnique") }
            }
            indexes[namespace]?[place] = spec
        }
    }
}

extension BSONDocument {
    /// Whether this index has exactly that name.
    func isNamed(_ name: String) -> Bool { self["name"]?.string?.isExactly(name) ?? false }
}
