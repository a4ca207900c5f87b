import Kubernetes

/// Puts an applied configuration into an object, and takes fields out of one.
enum FieldMerge {
    static func merged(_ wanted: JSONTree, into live: JSONTree, _ schema: Schema) -> JSONTree {
        switch (wanted, live) {
        case (.object(let changes), .object(var members)) where FieldSets.isGranular(schema):
            for (name, change) in changes {
                if let old = members[name] {
                    members[name] = merged(change, into: old, schema.member(name) ?? .anything)
                } else {
                    members[name] = change
                }
            }
            return .object(members)
        case (.array(let changes), .array(let elements)):
            switch schema.ownership {
            case .map(let keys):
                let items = schema.items.first ?? .anything
                var result = elements
                for change in changes {
                    let key = FieldSets.key(change, keys, items)
                    if let place = result.firstIndex(where: { FieldSets.key($0, keys, items) == key }) {
                        result[place] = merged(change, into: result[place], items)
                    } else {
                        result.append(change)
                    }
                }
                return .array(result)
            case .set: return .array(elements + changes.filter { !elements.contains($0) })
            default: return wanted
            }
        default: return wanted
        }
    }

    static func removing(_ path: ArraySlice<PathElement>, from value: JSONTree, _ schema: Schema) -> JSONTree {
        guard let step = path.first else { return value }
        let rest = path.dropFirst()
        switch (step, value) {
        case (.field(let name), .object(var members)):
            guard let child = members[name] else { return value }
            members[name] = rest.isEmpty ? nil : removing(rest, from: child, schema.member(name) ?? .anything)
            return .object(members)
        case (.key, .array(let elements)):
            guard case .map(let keys) = schema.ownership, let items = schema.items.first else { return value }
            return .array(
                elements.compactMap { element in
                    guard FieldSets.key(element, keys, items) == step else { return element }
                    return rest.isEmpty ? nil : removing(rest, from: element, items)
                }
            )
        case (.value(let wanted), .array(let elements)): return .array(elements.filter { $0 != wanted })
        default: return value
        }
    }
}
