import FakeAPIServer
import Kubernetes
import TestSupport

/// What the cluster holds: databases in namespaces, a configuration for each, and pods that got their agent by the webhook.
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
        for number in 0..<configurations { try await fake.apply(yaml: database(number)) }
        for number in 0..<pods {
            let database = number % configurations
            let pod = try await fake.createPod(
                fromStatefulSet: target(database),
                namespace: namespace(database / Self.perNamespace),
                ordinal: number / configurations
            )
            guard pod[path: "metadata", "labels", "remora.dev/injected"] == "true" else {
                let reason = fake.failedOpen.last?.reason ?? "nobody was asked"
                throw TestSupportError(
                    "pod \(target(database))-\(number / configurations) came without its agent: \(reason)"
                )
            }
        }
    }

    private func namespace(_ number: Int) -> String { "shop-\(number)" }
    private func target(_ number: Int) -> String { "orders-\(number)" }

    /// A database as people install one, with what deployment tools write on pods.
    private func database(_ number: Int) -> String {
        """
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: \(target(number)), namespace: \(namespace(number / Self.perNamespace))}
        spec:
          serviceName: \(target(number))
          replicas: \((pods + configurations - 1) / configurations)
          selector: {matchLabels: {app: \(target(number))}}
          template:
            metadata:
              labels: {app: \(target(number)), app.kubernetes.io/name: mongodb, app.kubernetes.io/component: database}
              annotations:
                remora.dev/inject: "true"
                remora.dev/cluster: \(target(number))
                checksum/config: 8b1a9953c4611296a827abf8c47804d7e6c49c6b1f0b8ed9a3f4f0f5cbd2a1de
                kubectl.kubernetes.io/restartedAt: "2026-11-30T10:00:00Z"
            spec:
              securityContext: {runAsUser: 999, runAsGroup: 999, fsGroup: 999}
              containers:
              - name: mongod
                image: mongo:6.0
                args: [mongod, --replSet=rs0, --bind_ip_all]
                ports: [{containerPort: 27017, name: mongo}]
                env:
                - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
                resources: {requests: {cpu: "1", memory: 2Gi}, limits: {memory: 2Gi}}
                readinessProbe: {tcpSocket: {port: 27017}}
                volumeMounts: [{name: data, mountPath: /data/db}]
              volumes:
              - {name: data, emptyDir: {}}
        """
    }
}
