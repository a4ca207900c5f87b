import Kubernetes

/// A change of the annotations in a workload's pod template.
struct Enrollment: Sendable, Hashable {
    /// One annotation; nil: it isn't there.
    struct Change: Codable, Sendable, Hashable {
        var annotation: String
        var before: String?
        var after: String?
    }

    let workload: WorkloadReference
    let namespace: String
    /// By name; only what really changes.
    let changes: [Change]
    /// All annotations of the template afterwards.
    let annotations: [String: String]

    /// Adds annotations, or replaces those that are there.
    static func adding(_ added: [String: String], to workload: WorkloadFacts) -> Enrollment {
        Enrollment(workload, workload.annotations.merging(added) { $1 })
    }

    /// Takes out all of ours, also those that no version of ours knows.
    static func removing(from workload: WorkloadFacts) -> Enrollment {
        Enrollment(workload, workload.annotations.filter { !$0.key.hasPrefix(Install.prefix) })
    }

    private init(_ facts: WorkloadFacts, _ annotations: [String: String]) {
        workload = facts.reference
        namespace = facts.namespace
        self.annotations = annotations
        let before = facts.annotations
        changes = Set(before.keys).union(annotations.keys).sorted().compactMap { name in
            before[name] == annotations[name]
                ? nil : Change(annotation: name, before: before[name], after: annotations[name])
        }
    }

    /// A merge patch of just these annotations (RFC 7386: null removes).
    var patch: JSONTree {
        var annotations: [String: JSONTree] = [:]
        for change in changes { annotations[change.annotation] = change.after.map { .string($0) } ?? .null }
        return ["spec": ["template": ["metadata": ["annotations": .object(annotations)]]]]
    }

    /// The same as YAML: for a manifest, or for `kubectl patch --type merge --patch-file`.
    var yaml: String {
        var text = "# kubectl patch \(workload) -n \(namespace) --type merge --patch-file THIS\n"
        text += "spec:\n  template:\n    metadata:\n      annotations:\n"
        for change in changes {
            // A JSON text is a YAML text.
            text += "        \(change.annotation): \(change.after.map { JSONTree.string($0).description } ?? "null")\n"
        }
        return text
    }
}
