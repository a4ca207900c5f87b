import BackupModel
import Kubernetes

/// The object of a session that the coordinator makes, and its marks on one that a person made.
enum SessionObject {
    /// The object of a session.
    ///
    /// - Throws: `JSONCodingError` for what JSON can't hold.
    static func make(_ session: SessionState, owner: OwnerReference?) throws -> KubernetesObject {
        var object = KubernetesObject(
            KubernetesStore.resource(session.kind),
            name: session.key.name,
            namespace: session.key.namespace
        )
        object.labels = labels(session)
        object.finalizers = [ClusterNames.cancelFinalizer]
        if let owner { object.ownerReferences = [owner] }
        switch session.kind {
        case .backup: object["spec"] = try JSONTree(encoding: backup(session.plan))
        case .restore: object["spec"] = try JSONTree(encoding: restore(session.plan))
        }
        return object
    }

    /// A merge patch that puts our marks on an object, guarded by its version; nil when it has them.
    static func marked(_ object: KubernetesObject, _ session: SessionState, owner: OwnerReference?) -> JSONTree? {
        var changed = object
        if !changed.finalizers.contains(ClusterNames.cancelFinalizer) {
            changed.finalizers.append(ClusterNames.cancelFinalizer)
        }
        changed.labels.merge(labels(session)) { $1 }
        if let owner, object.controller == nil, !object.ownerReferences.contains(where: { $0.uid == owner.uid }) {
            changed.ownerReferences.append(owner)
        }
        guard changed != object else { return nil }
        var metadata: JSONTree = ["resourceVersion": .string(object.resourceVersion)]
        for field in ["finalizers", "labels", "ownerReferences"] { metadata[field] = changed.metadata[field] }
        return ["metadata": metadata]
    }

    private static func labels(_ session: SessionState) -> [String: String] {
        var labels = [ClusterNames.managedBy: ClusterNames.fieldManager]
        // Names may be longer than a label's value; then it can't be looked for by them.
        if session.plan.target.utf8.count <= 63 { labels[ClusterNames.cluster] = session.plan.target }
        if let name = session.plan.configuration, name.utf8.count <= 63 { labels[ClusterNames.configuration] = name }
        return labels
    }

    private static func backup(_ plan: SessionPlan) -> BackupSessionSpec {
        BackupSessionSpec(
            configuration: plan.configuration ?? "",
            consistency: plan.backup?.consistency,
            trigger: plan.trigger,
            requestedBy: plan.requestedBy.map { $0.prefix(bytes: 253) }
        )
    }

    private static func restore(_ plan: SessionPlan) -> RestoreSessionSpec {
        var spec = RestoreSessionSpec(target: plan.target, from: plan.restore?.from, conflict: plan.restore?.conflict)
        spec.repository = ResourceReference(name: plan.repository.name, namespace: plan.repository.namespace)
        spec.requestedBy = plan.requestedBy.map { $0.prefix(bytes: 253) }
        guard let restore = plan.restore else { return spec }
        spec.source = restore.source
        spec.group = restore.group
        spec.groups = restore.groups
        spec.include = restore.selection.include.isEmpty ? nil : restore.selection.include
        spec.exclude = restore.selection.exclude.isEmpty ? nil : restore.selection.exclude
        spec.renames = restore.selection.renames.isEmpty ? nil : restore.selection.renames
        spec.usersAndRoles = restore.usersAndRoles
        return spec
    }
}

extension String {
    /// The beginning that has at most so many bytes, cut between characters.
    func prefix(bytes: Int) -> String {
        if utf8.count <= bytes { return self }
        var end = startIndex
        var count = 0
        for index in indices {
            count += self[index].utf8.count
            if count > bytes { break }
            end = self.index(after: index)
        }
        return String(self[..<end])
    }
}
