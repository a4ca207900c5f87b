import BackupModel
import Foundation
import Injector
import Kubernetes

@testable import RemoraCLI

/// Objects of a cluster in which everything is as it should be.
enum ClusterSamples {
    static let image = "registry.example/remora-agent:0.1.0"
    static let authority = "-----BEGIN CERTIFICATE-----\nQUJD\nREVG\n-----END CERTIFICATE-----\n"

    /// A database's pod with an agent that runs.
    static func pod(_ name: String = "mongo-0", annotations: [String: String] = [:]) -> JSONTree {
        var all = [Annotation.inject.name: "true", Annotation.credentialsSecret.name: "mongo-backup"]
        all.merge(annotations) { $1 }
        return [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": "shop",
                "labels": ["app": "mongo", "remora.dev/injected": "true", "remora.dev/cluster": "mongo"],
                "annotations": .object(all.mapValues { .string($0) }),
                "ownerReferences": [["kind": "StatefulSet", "name": "mongo", "controller": true]],
            ],
            "spec": [
                "initContainers": [
                    ["name": "fix-permissions", "image": "busybox"],
                    ["name": "remora-agent", "image": .string(image), "restartPolicy": "Always"],
                ],
                "containers": [
                    ["name": "mongodb", "image": "mongo:6.0", "env": [["name": "ROOT_PASSWORD", "value": "hunter22"]]]
                ],
            ],
            "status": [
                "phase": "Running", "conditions": [["type": "Ready", "status": "True"]],
                "initContainerStatuses": [
                    [
                        "name": "remora-agent", "ready": true, "restartCount": 0, "image": .string(image),
                        "state": ["running": ["startedAt": "2026-08-22T09:00:00Z"]],
                    ]
                ],
            ],
        ]
    }

    static func agent(_ pod: String = "mongo-0") -> AgentView {
        var agent = AgentView(pod: pod, version: "0.1.0", connected: true)
        agent.databaseReachable = true
        agent.lag = 0
        agent.role = .secondary
        agent.lastSeen = Samples.moment("09:59:59")
        return agent
    }

    static func status(_ agents: [AgentView] = [agent()]) -> StatusView {
        var target = Samples.target("shop", "mongo", configurations: ["nightly"])
        target.agents = agents
        var status = Samples.status([target])
        status.version = RemoraVersion.current
        return status
    }

    static func coordinator(leads: Bool = true) -> JSONTree {
        [
            "metadata": [
                "name": "remora-coordinator-1", "namespace": "remora-system",
                "labels": leads ? ["remora.dev/leader": "true"] : [:],
            ],
            "spec": ["containers": [["name": "coordinator", "ports": [["name": "https", "containerPort": 8443]]]]],
            "status": ["phase": "Running", "conditions": [["type": "Ready", "status": "True"]]],
        ]
    }

    static func lease(renewed: String = "2026-08-22T09:59:55.123456Z") -> JSONTree {
        [
            "spec": [
                "holderIdentity": "remora-coordinator-1", "leaseDurationSeconds": 15, "renewTime": .string(renewed),
            ]
        ]
    }

    static func webhook(
        bundle: String = authority,
        service: String = Install.webhookService
    ) -> JSONTree {
        [
            "webhooks": [
                [
                    "name": "pods.inject.remora.dev",
                    "clientConfig": [
                        "service": ["name": .string(service), "namespace": "remora-system"],
                        "caBundle": .string(Data(bundle.utf8).base64EncodedString()),
                    ],
                ]
            ]
        ]
    }

    static let definition: JSONTree = [
        "spec": ["versions": [["name": "v1alpha1", "served": true]]],
        "status": ["conditions": [["type": "Established", "status": "True"]]],
    ]

    static let repository: JSONTree = [
        "metadata": ["name": "main", "namespace": "shop"],
        "spec": ["backend": ["s3": ["bucket": "b"], "storageSecretName": "storage"]],
        "status": ["conditions": [["type": "Ready", "status": "True"]]],
    ]

    /// Facts in which nothing is wrong.
    static func facts() -> ClusterFacts {
        var facts = ClusterFacts()
        facts.serverURL = "https://10.0.0.1:6443"
        facts.now = Samples.moment("10:00:00")
        facts.serverTime = Samples.moment("10:00:01")
        facts.server = .found(["gitVersion": "v1.36.0", "major": "1", "minor": "36"])
        for name in Install.definitions { facts.definitions[name] = .found(definition) }
        facts.coordinators = .found([PodFacts(coordinator())])
        facts.lease = .found(lease())
        facts.authority = .found(authority)
        facts.webhook = .found(webhook())
        facts.trial = .found(PodFacts(pod("remora-doctor-x")))
        facts.trialNamespace = "shop"
        facts.namespaces = ["shop": .found(["metadata": ["name": "shop", "labels": [:]]])]
        facts.pods = .found([PodFacts(pod())])
        facts.secrets = ["shop/mongo-backup": .found(["username", "password"])]
        facts.repositories = .found([
            ClusterFacts.RepositoryFacts(
                object: repository,
                keys: .found(["RESTIC_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
            )
        ])
        facts.status = .found(status())
        facts.rights = ClusterFacts.Right.needed(in: "remora-system").map { ($0, .found(true)) }
        return facts
    }

    /// A StatefulSet of three pods.
    static func statefulSet(
        _ spec: JSONTree = [:],
        metadata: JSONTree = [:],
        annotations: [String: String] = [:]
    ) -> WorkloadFacts {
        var object: JSONTree = [
            "metadata": ["name": "mongo", "namespace": "shop", "resourceVersion": "17"],
            "spec": [
                "replicas": 3,
                "template": [
                    "metadata": ["annotations": .object(annotations.mapValues { .string($0) })],
                    "spec": [
                        "containers": [
                            [
                                "name": "mongodb", "image": "mongo:6.0",
                                "volumeMounts": [["name": "data", "mountPath": "/data/db"]],
                            ]
                        ]
                    ],
                ],
                "volumeClaimTemplates": [["metadata": ["name": "data"]]],
            ],
        ]
        var changed = object["spec"] ?? [:]
        for (key, value) in spec.object ?? [:] { changed[key] = value }
        object["spec"] = changed
        var told = object["metadata"] ?? [:]
        for (key, value) in metadata.object ?? [:] { told[key] = value }
        object["metadata"] = told
        return WorkloadFacts(reference: WorkloadReference(.statefulSet, "mongo"), object: object)
    }
}

extension JSONTree {
    /// With another value at a place.
    func with(_ path: String..., value: JSONTree?) -> JSONTree { with(path[...], value) }

    private func with(_ path: ArraySlice<String>, _ value: JSONTree?) -> JSONTree {
        guard let key = path.first else { return value ?? .null }
        var tree = self
        tree[key] = path.count == 1 ? value : (self[key] ?? [:]).with(path.dropFirst(), value)
        return tree
    }
}
