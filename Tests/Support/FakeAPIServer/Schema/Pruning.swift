import Kubernetes

/// Takes away what a schema doesn't know, and puts in what it gives by default.
enum Pruning {
    /// A value without the fields that its schema doesn't name.
    static func pruned(_ value: JSONTree, _ schema: Schema) -> JSONTree {
        var unknown: [String] = []
        return pruned(value, schema, "", &unknown)
    }

    /// The same; the paths of what went away are added to `unknown`.
    static func pruned(_ value: JSONTree, _ schema: Schema, _ path: String, _ unknown: inout [String]) -> JSONTree {
        switch value {
        case .object(let members):
            if schema.type == "string" || schema.type == "array" { return value }
            var kept: [String: JSONTree] = [:]
            for (key, child) in members.sorted(by: { $0.key < $1.key }) {
                let childPath = path.isEmpty ? key : "\(path).\(key)"
                if let childSchema = schema.member(key) {
                    kept[key] = pruned(child, childSchema, childPath, &unknown)
                } else if schema.isEmbeddedResource, ["apiVersion", "kind", "metadata"].contains(key) {
                    kept[key] = child
                } else if schema.preservesUnknown || (schema.type == nil && !schema.isIntOrString) {
                    kept[key] = child
                } else {
                    unknown.append(childPath)
                }
            }
            return .object(kept)
        case .array(let elements):
            guard let items = schema.items.first else { return value }
            return .array(
                elements.enumerated().map { pruned($1, items, "\(path)[\($0)]", &unknown) }
            )
        default:
            return value
        }
    }

    /// A value with the defaults of its schema; `null` where only a default is allowed gives way to it.
    static func defaulted(_ value: JSONTree, _ schema: Schema) -> JSONTree {
        switch value {
        case .object(var members):
            for (name, child) in schema.properties {
                if let standard = child.defaultValue {
                    let isWanting = members[name] == nil || (members[name] == .null && !child.isNullable)
                    if isWanting { members[name] = standard }
                }
                // A null that may not be there and that no default replaces is as good as absent.
                if members[name] == .null, !child.isNullable, child.type != nil { members[name] = nil }
                if let present = members[name] { members[name] = defaulted(present, child) }
            }
            if let additional = schema.additional.first {
                for (name, child) in members where schema.properties[name] == nil {
                    members[name] = defaulted(child, additional)
                }
            }
            return .object(members)
        case .array(let elements):
            guard let items = schema.items.first else { return value }
            return .array(elements.map { defaulted($0, items) })
        default:
            return value
        }
    }
}
