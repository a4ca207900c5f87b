import Kubernetes

/// From objects to the fields that they have, or that differ.
enum FieldSets {
    /// What the server sets itself belongs to nobody.
    static let ignored: [[PathElement]] =
        [[.field("apiVersion")], [.field("kind")]]
        + [
            "name", "namespace", "generateName", "creationTimestamp", "selfLink", "uid", "generation", "managedFields",
            "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds",
        ]
        .map { [.field("metadata"), .field($0)] }

    /// The fields of an object.
    static func fields(_ object: JSONTree, _ schema: Schema) -> FieldSet {
        var set = FieldSet()
        collect(object, schema, [], &set)
        return set.removing(ignored)
    }

    /// How an element of a list with keys is known.
    static func key(_ element: JSONTree, _ keys: [String], _ items: Schema) -> PathElement {
        var key: JSONTree = [:]
        for name in keys {
            let value = element[name] ?? items.properties[name]?.defaultValue ?? (name == "protocol" ? "TCP" : nil)
            if let value { key[name] = value }
        }
        return .key(key)
    }

    private static func collect(_ value: JSONTree, _ schema: Schema, _ path: [PathElement], _ set: inout FieldSet) {
        switch value {
        case .object(let members) where isGranular(schema):
            if members.isEmpty || !schema.additional.isEmpty { set.insert(path[...]) }
            for (name, child) in members {
                collect(child, schema.member(name) ?? .anything, path + [.field(name)], &set)
            }
        case .array(let elements):
            switch schema.ownership {
            case .map(let keys):
                let items = schema.items.first ?? .anything
                if elements.isEmpty { set.insert(path[...]) }
                for element in elements {
                    let step = path + [key(element, keys, items)]
                    set.insert(step[...])
                    collect(element, items, step, &set)
                }
            case .set: for element in elements { set.insert((path + [.value(element)])[...]) }
            default: set.insert(path[...])
            }
        default: set.insert(path[...])
        }
    }

    static func isGranular(_ schema: Schema) -> Bool {
        schema.type == nil || schema.ownership != .atomic
    }

    /// The fields of `new` whose values aren't those of `old`.
    static func changed(_ new: JSONTree, _ old: JSONTree, _ schema: Schema) -> FieldSet {
        let set = fields(new, schema)
        var result = FieldSet()
        for path in set.paths where value(path, new, schema) != value(path, old, schema) { result.insert(path[...]) }
        // Members that are only there to say that something exists have no value of their own.
        for path in set.paths where value(path, old, schema) == nil { result.insert(path[...]) }
        return result
    }

    /// What is at a path; of an element that is known by its keys, or a map, only that it is there.
    static func value(_ path: [PathElement], _ object: JSONTree, _ schema: Schema) -> JSONTree? {
        var value = object
        var schema = schema
        for step in path {
            switch step {
            case .field(let name):
                guard let next = value[name] else { return nil }
                value = next
                schema = schema.member(name) ?? .anything
            case .key:
                guard case .map(let keys) = schema.ownership, let items = schema.items.first,
                    let next = value.array?.first(where: { key($0, keys, items) == step })
                else { return nil }
                value = next
                schema = items
            case .value(let wanted): return value.array?.contains(wanted) ?? false ? wanted : nil
            }
        }
        if value.object != nil, isGranular(schema) { return [:] }
        return value
    }

    /// Fields that a schema doesn't name, as server-side apply shows them.
    static func unknownFields(_ value: JSONTree, _ schema: Schema, _ path: String = "") -> [String] {
        switch value {
        case .object(let members):
            guard schema.type == "object", !schema.preservesUnknown, !schema.isEmbeddedResource else { return [] }
            return members.sorted { $0.key < $1.key }.flatMap { name, child in
                guard let member = schema.member(name) else { return ["\(path).\(name)"] }
                return unknownFields(child, member, "\(path).\(name)")
            }
        case .array(let elements):
            guard let items = schema.items.first else { return [] }
            return elements.enumerated().flatMap { unknownFields($1, items, "\(path)[\($0)]") }
        default: return []
        }
    }
}
