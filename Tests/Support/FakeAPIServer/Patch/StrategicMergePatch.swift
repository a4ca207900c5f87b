import Kubernetes

/// Kubernetes' own merge, for built-in kinds: lists whose elements have names are merged element by element.
enum StrategicMergePatch {
    static func apply(_ patch: JSONTree, to target: JSONTree, _ schema: Schema) throws -> JSONTree {
        guard case .object(let changes) = patch else { return patch }
        if changes["$patch"] == "replace" { return without(changes) }
        if changes["$patch"] == "delete" { return [:] }
        var members = target.object ?? [:]
        for (key, change) in changes.sorted(by: { $0.key < $1.key }) where !key.hasPrefix("$") {
            let child = schema.member(key) ?? .anything
            if change.isNull {
                members[key] = nil
            } else if let list = change.array {
                members[key] = .array(
                    try merged(
                        list,
                        members[key]?.array ?? [],
                        child,
                        deletions: changes["$deleteFromPrimitiveList/\(key)"]?.array ?? [],
                        key: key
                    )
                )
            } else if change.object != nil {
                members[key] =
                    child.type == nil && child.isIntOrString
                    ? change : try apply(change, to: members[key] ?? [:], child)
            } else {
                members[key] = change
            }
        }
        for (key, deletions) in changes where key.hasPrefix("$deleteFromPrimitiveList/") {
            let name = String(key.dropFirst("$deleteFromPrimitiveList/".count))
            guard changes[name] == nil, let list = members[name]?.array else { continue }
            members[name] = .array(list.filter { !(deletions.array ?? []).contains($0) })
        }
        for (key, order) in changes where key.hasPrefix("$setElementOrder/") {
            let name = String(key.dropFirst("$setElementOrder/".count))
            guard let list = members[name]?.array else { continue }
            members[name] = .array(ordered(list, order.array ?? [], schema.member(name)?.mergeKey))
        }
        if let retained = changes["$retainKeys"]?.array?.compactMap(\.string) {
            members = members.filter { retained.contains($0.key) }
        }
        return .object(members)
    }

    private static func without(_ members: [String: JSONTree]) -> JSONTree {
        .object(members.filter { !$0.key.hasPrefix("$") })
    }

    private static func merged(
        _ patch: [JSONTree],
        _ target: [JSONTree],
        _ schema: Schema,
        deletions: [JSONTree],
        key: String
    )
        throws -> [JSONTree]
    {
        if schema.mergesScalars {
            let kept = target.filter { !deletions.contains($0) }
            return kept + patch.filter { !kept.contains($0) }
        }
        guard let mergeKey = schema.mergeKey else { return patch }
        if patch.contains(where: { $0["$patch"] == "replace" }) {
            return patch.filter { $0["$patch"] == nil }
        }
        var result = target
        for element in patch {
            guard let value = element[mergeKey] else {
                throw APIError.badRequest("map: \(element) does not contain declared merge key: \(mergeKey)")
            }
            let place = result.firstIndex { $0[mergeKey] == value }
            if element["$patch"] == "delete" {
                if let place { result.remove(at: place) }
            } else if let place {
                result[place] = try apply(element, to: result[place], schema.items.first ?? .anything)
            } else {
                result.append(try apply(element, to: [:], schema.items.first ?? .anything))
            }
        }
        return result
    }

    private static func ordered(_ list: [JSONTree], _ order: [JSONTree], _ mergeKey: String?) -> [JSONTree] {
        let key = { (element: JSONTree) in mergeKey.flatMap { element[$0] } ?? element }
        let places = Dictionary(order.enumerated().map { (key($1), $0) }) { first, _ in first }
        // What the order doesn't name stays behind its neighbour.
        var last = -1
        let ranked = list.enumerated().map { offset, element -> (Int, Int, JSONTree) in
            if let place = places[key(element)] { last = place }
            return (places[key(element)] ?? last, offset, element)
        }
        return ranked.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    }
}
