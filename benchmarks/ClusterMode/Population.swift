import FakeAPIServer
import Kubernetes
import TestSupport

/// What the cluster holds: databases in namespaces, a configuration for each, and pods that have their agent already.
struct Population: Sendable {
    static let perNamespace = 20

    let pods: Int
    let configurations: Int

    var namespaces: Int { (configurations + Self.perNamespace - 1) / Self.perNamespace }

    /// Creates everything, as an administrator would.
    func fill(_ fake: FakeAPIServer, _ directory: TestDirectory) async throws {
        for number in 0..<namespaces {
            try await fake.apply(
                yaml: """
                    apiVersion: v1
                    kind: Namespace
                    metadata: {name: \(namespace(number))}
                    ---
                    apiVersion: v1
                    kind: Secret
                    metadata: {name: storage, namespace: \(namespace(number))}
                    stringData: {RESTIC_PASSWORD: "\(Deployment.repositoryPassword)"}
                    ---
                    apiVersion: rbac.authorization.k8s.io/v1
                    kind: Role
                    metadata: {name: remora-storage, namespace: \(namespace(number))}
                    rules:
                    - {apiGroups: [""], resources: [secrets], resourceNames: [storage], verbs: [get]}
                    ---
                    apiVersion: rbac.authorization.k8s.io/v1
                    kind: RoleBinding
                    metadata: {name: remora-storage, namespace: \(namespace(number))}
                    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: remora-storage}
                    subjects:
                    - {kind: ServiceAccount, name: remora-coordinator, namespace: \(ClusterReplicas.namespace)}
                    ---
                    apiVersion: remora.dev/v1alpha1
                    kind: Repository
                    metadata: {name: main, namespace: \(namespace(number))}
                    spec:
                      backend:
                        local: {mountPath: \(directory.appending("repository"))}
                        storageSecretName: storage
                    """
            )
        }
        for number in 0..<configurations {
            let place = namespace(number / Self.perNamespace)
            try await fake.create([
                "apiVersion": "remora.dev/v1alpha1", "kind": "AppBinding",
                "metadata": ["name": .string(target(number)), "namespace": .string(place)],
                "spec": ["type": "mongodb"],
            ])
            try await fake.create([
                "apiVersion": "remora.dev/v1alpha1", "kind": "BackupConfiguration",
                "metadata": ["name": .string(target(number)), "namespace": .string(place)],
                "spec": [
                    // Once a year: nothing runs while this looks.
                    "schedule": "0 3 29 2 *", "repository": ["name": "main"],
                    "target": [
                        "ref": [
                            "apiVersion": "remora.dev/v1alpha1", "kind": "AppBinding",
                            "name": .string(target(number)),
                        ]
                    ],
                ],
            ])
        }
        for number in 0..<pods { try await fake.create(pod(number)) }
    }

    private func namespace(_ number: Int) -> String { "shop-\(number)" }
    private func target(_ number: Int) -> String { "orders-\(number)" }

    /// A member as it is after the webhook, with what deployment tools write on pods.
    private func pod(_ number: Int) -> JSONTree {
        let database = number % configurations
        return [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string("\(target(database))-\(number / configurations)"),
                "namespace": .string(namespace(database / Self.perNamespace)),
                "labels": [
                    "app": .string(target(database)), "remora.dev/injected": "true",
                    "remora.dev/cluster": .string(target(database)),
                    "controller-revision-hash": .string("\(target(database))-5d4f8c9b7"),
                    "statefulset.kubernetes.io/pod-name": .string("\(target(database))-\(number / configurations)"),
                ],
                "annotations": [
                    "remora.dev/inject": "true", "remora.dev/cluster": .string(target(database)),
                    "remora.dev/status":
                        #"{"v":1,"by":"0.1.0","image":"remora-agent@sha256:0","mode":"native","hash":"3f9a51c02b7d"}"#,
                    "checksum/config": "8b1a9953c4611296a827abf8c47804d7e6c49c6b1f0b8ed9a3f4f0f5cbd2a1de",
                    "kubectl.kubernetes.io/restartedAt": "2026-11-30T10:00:00Z",
                ],
                "ownerReferences": [
                    [
                        "apiVersion": "apps/v1", "kind": "StatefulSet", "name": .string(target(database)),
                        "uid": "6f3a0d0e-6a3e-4f5b-9a59-0f1de3f1a001", "controller": true, "blockOwnerDeletion": true,
                    ]
                ],
            ],
            "spec": ["containers": [["name": "mongod", "image": "mongo:6.0", "ports": [["containerPort": 27017]]]]],
        ]
    }
}
