import Foundation
import Kubernetes

/// Who owns which fields: `metadata.managedFields`.
enum Ownership {
    /// Who applies, and how.
    struct Applier {
        var manager: String
        var subresource: String
        var isForced: Bool
        var apiVersion: String
        var hasStatus: Bool

        /// Fields that this endpoint doesn't write, and so can't own.
        var foreign: [[PathElement]] {
            guard hasStatus else { return [] }
            return subresource == "status" ? [[.field("spec")], [.field("metadata")]] : [[.field("status")]]
        }
    }

    private struct Entry {
        var tree: JSONTree
        var set: FieldSet

        var manager: String { tree["manager"]?.string ?? "" }
        var isApply: Bool { tree["operation"]?.string == "Apply" }
        var subresource: String { tree["subresource"]?.string ?? "" }

        func `is`(_ manager: String, _ operation: String, _ subresource: String) -> Bool {
            self.manager == manager && tree["operation"]?.string == operation && self.subresource == subresource
        }
    }

    private static func entries(_ object: JSONTree?) -> [Entry] {
        (object?["metadata"]?["managedFields"]?.array ?? []).map {
            Entry(tree: $0, set: FieldSet($0["fieldsV1"] ?? [:]))
        }
    }

    private static func write(_ entries: [Entry], _ object: inout JSONTree) {
        let list = entries.filter { !$0.set.isEmpty }.map { entry -> JSONTree in
            var tree = entry.tree
            tree["fieldsType"] = "FieldsV1"
            tree["fieldsV1"] = entry.set.tree
            return tree
        }
        object.set("metadata", "managedFields", to: list.isEmpty ? nil : .array(list))
    }

    private static func entry(
        _ manager: String,
        _ operation: String,
        _ subresource: String,
        _ apiVersion: String,
        _ now: Date
    ) -> JSONTree {
        var tree: JSONTree = [
            "manager": .string(manager), "operation": .string(operation), "apiVersion": .string(apiVersion),
            "time": .string(Times.text(now)),
        ]
        if !subresource.isEmpty { tree["subresource"] = .string(subresource) }
        return tree
    }

    /// The object with its owners after a write that isn't an apply: what changed belongs to the writer alone.
    static func afterWrite(
        _ object: JSONTree,
        old: JSONTree?,
        manager: String,
        subresource: String,
        schema: Schema,
        now: Date
    ) -> JSONTree {
        var object = object
        // An empty list that was sent takes all owners away.
        let isReset = old != nil && object["metadata"]?["managedFields"]?.array?.isEmpty == true
        let changed = FieldSets.changed(object, old ?? [:], schema)
        let present = FieldSets.fields(object, schema)
        // A client may move fields from owner to owner, as kubectl does on its way to server-side apply.
        var owners = isReset ? [] : entries(object)
        for index in owners.indices {
            let isOwn = owners[index].is(manager, "Update", subresource)
            if !isOwn { owners[index].set = owners[index].set.subtracting(leaves(changed, object, schema)) }
            owners[index].set = owners[index].set.intersection(present)
        }
        if !changed.isEmpty {
            let tree = entry(manager, "Update", subresource, object["apiVersion"]?.string ?? "", now)
            if let index = owners.firstIndex(where: { $0.is(manager, "Update", subresource) }) {
                owners[index] = Entry(tree: tree, set: owners[index].set.union(changed))
            } else {
                owners.append(Entry(tree: tree, set: changed))
            }
        }
        write(owners, &object)
        return object
    }

    /// Members with a value of their own: of a map or an element as such, several may be owners.
    private static func leaves(_ set: FieldSet, _ object: JSONTree, _ schema: Schema) -> FieldSet {
        var result = FieldSet()
        for path in set.paths where FieldSets.value(path, object, schema) != [:] || set[path]?.children.isEmpty ?? true
        {
            result.insert(path[...])
        }
        return result
    }

    /// Whether nothing but the time of a write would change.
    static func isSame(_ new: JSONTree, _ old: JSONTree) -> Bool {
        let plain = { (object: JSONTree) -> JSONTree in
            var object = object
            object.set("metadata", "resourceVersion", to: nil)
            object.modify("metadata") { metadata in
                metadata.modify("managedFields") { $0.modifyElements { $0["time"] = nil } }
            }
            return object
        }
        return plain(new) == plain(old)
    }

    /// Server-side apply on an object that is there.
    ///
    /// - Throws: ``APIError`` 409 with the fields that others own.
    static func apply(_ wanted: JSONTree, to live: JSONTree, _ applier: Applier, _ schema: Schema, _ now: Date) throws
        -> JSONTree
    {
        let set = FieldSets.fields(wanted, schema).removing(applier.foreign)
        var owners = entries(live)
        let disputed = FieldSets.changed(wanted, live, schema).intersection(set)
        var causes: [(Entry, [PathElement])] = []
        for owner in owners where !owner.is(applier.manager, "Apply", applier.subresource) {
            for path in owner.set.intersection(disputed).paths where FieldSets.value(path, wanted, schema) != [:] {
                causes.append((owner, path))
            }
        }
        if !causes.isEmpty, !applier.isForced { throw conflict(causes) }
        let own = owners.first { $0.is(applier.manager, "Apply", applier.subresource) }
        var result = FieldMerge.merged(wanted, into: live, schema)
        let others = owners.filter { !$0.is(applier.manager, "Apply", applier.subresource) }.reduce(FieldSet()) {
            $0.union($1.set)
        }
        // Whole elements first: without its keys one would not be found any more.
        let dropped = own?.set.subtracting(set) ?? FieldSet()
        for path in dropped.paths.sorted(by: { $0.count < $1.count }) where others[path] == nil && set[path] == nil {
            result = FieldMerge.removing(path[...], from: result, schema)
        }
        for index in owners.indices where !owners[index].is(applier.manager, "Apply", applier.subresource) {
            owners[index].set = owners[index].set.subtracting(leaves(disputed, wanted, schema))
                .intersection(FieldSets.fields(result, schema))
        }
        let previous = owners.firstIndex { $0.is(applier.manager, "Apply", applier.subresource) }
        let tree = entry(applier.manager, "Apply", applier.subresource, applier.apiVersion, now)
        if let previous {
            owners[previous] = Entry(tree: owners[previous].set == set ? owners[previous].tree : tree, set: set)
        } else {
            owners.append(Entry(tree: tree, set: set))
        }
        write(owners, &result)
        return result
    }

    /// The owners of an object that an apply creates.
    static func afterApplyCreate(
        _ object: JSONTree,
        _ applied: JSONTree,
        _ applier: Applier,
        _ schema: Schema,
        _ now: Date
    ) -> JSONTree {
        var object = object
        let set = FieldSets.fields(applied, schema).removing(applier.foreign)
        write(
            [Entry(tree: entry(applier.manager, "Apply", applier.subresource, applier.apiVersion, now), set: set)],
            &object
        )
        return object
    }

    private static func conflict(_ causes: [(Entry, [PathElement])]) -> APIError {
        let fields = causes.map { owner, path in
            (owner: owner, field: path.map(\.shown).joined())
        }.sorted { ($0.owner.manager, $0.field) < ($1.owner.manager, $1.field) }
        let groups = Dictionary(grouping: fields) { "\"\($0.owner.manager)\"" }
        let texts = groups.sorted { $0.key < $1.key }.map { manager, found in
            let version = found.first?.owner.tree["apiVersion"]?.string ?? ""
            let using = found.first?.owner.isApply ?? false ? "" : " using \(version)"
            return found.count == 1
                ? "conflict with \(manager)\(using): \(found[0].field)"
                : "conflicts with \(manager)\(using):\n" + found.map { "- \($0.field)" }.joined(separator: "\n")
        }
        let count = fields.count == 1 ? "1 conflict" : "\(fields.count) conflicts"
        return APIError(
            code: 409,
            reason: "Conflict",
            message: "Apply failed with \(count): \(texts.joined(separator: "\n"))",
            details: [
                "causes": .array(
                    fields.map {
                        [
                            "reason": "FieldManagerConflict",
                            "message": .string("conflict with \"\($0.owner.manager)\""),
                            "field": .string($0.field),
                        ]
                    }
                )
            ]
        )
    }
}
