import BackupModel
import Kubernetes
import Synchronization

/// The workloads that pods belong to: of a Deployment's pod the Deployment, since its ReplicaSets come and go.
///
/// A pod names its ReplicaSet only, and a reference to an owner needs the owner's `uid`: each ReplicaSet is asked once whose it is.
final class Workloads: Sendable {
    private let client: KubernetesClient
    /// Deployments by their ReplicaSets' `uid`.
    private let deployments = Mutex<[String: OwnerReference]>([:])
    /// Far more than there are while a leader leads; then all are asked again.
    private static let mostKnown = 10_000

    init(client: KubernetesClient) {
        self.client = client
    }

    /// The workload of a pod that asks for something: what manages it, or else the pod itself.
    ///
    /// - Returns: nil when it is gone already, and the pod about to go.
    func workload(of pod: PodFact) async throws(KubernetesError) -> KubernetesObject? {
        guard let controller = pod.controller else { return pod.owner }
        return try await workload(managedBy: controller, in: pod.key.namespace).map {
            $0.object(in: pod.key.namespace)
        }
    }

    /// The workload of pods that a controller manages; nil when it is gone.
    func workload(
        managedBy controller: OwnerReference,
        in namespace: String
    ) async throws(KubernetesError) -> OwnerReference? {
        guard controller.isReplicaSet else { return controller }
        if let known = deployments.withLock({ $0[controller.uid] }) { return known }
        let set: KubernetesObject
        do {
            set = try await client.get(
                .replicaSets,
                name: controller.name,
                namespace: namespace,
                isMetadataOnly: true
            )
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
        guard set.uid == controller.uid else { return nil }
        // One that stands for itself may be adopted later: nothing is remembered of it.
        guard let deployment = set.controller else { return controller }
        deployments.withLock { deployments in
            if deployments.count >= Self.mostKnown { deployments = [:] }
            deployments[controller.uid] = deployment
        }
        return deployment
    }
}

extension OwnerReference {
    /// The owner, as far as a reference knows it.
    func object(in namespace: String) -> KubernetesObject {
        var object = KubernetesObject([
            "apiVersion": .string(apiVersion), "kind": .string(kind), "metadata": ["uid": .string(uid)],
        ])
        object.name = name
        object.namespace = namespace
        return object
    }
}
