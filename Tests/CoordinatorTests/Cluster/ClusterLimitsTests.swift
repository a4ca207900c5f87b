import BackupModel
import FakeAPIServer
import Foundation
import Injector
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

/// Namespaces that allow containers less than the agent usually has.
@Suite struct ClusterLimitsTests {
    private static let limits = """
        apiVersion: v1
        kind: LimitRange
        metadata: {name: small, namespace: shop}
        spec:
          limits:
          - type: Container
            max: {cpu: "1", memory: 256Mi}
            maxLimitRequestRatio: {memory: "2"}
        ---
        apiVersion: v1
        kind: ResourceQuota
        metadata: {name: counted, namespace: shop}
        spec: {hard: {limits.cpu: "8", limits.memory: 8Gi, requests.cpu: "8", requests.memory: 8Gi}}
        """

    private static func pod(_ name: String) -> JSONTree {
        [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": .string(name), "namespace": "shop",
                "annotations": ["remora.dev/inject": "true", "remora.dev/cluster": "orders"],
            ],
            "spec": [
                "containers": [
                    [
                        "name": "mongod", "image": "mongo:6",
                        "resources": [
                            "requests": ["cpu": "200m", "memory": "256Mi"], "limits": ["cpu": "1", "memory": "256Mi"],
                        ],
                    ]
                ]
            ],
        ]
    }

    @Test("a pod in it starts with an agent that fits")
    func fits() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.fake.apply(yaml: Self.limits)
            let text = try String(contentsOfFile: "\(Tools.packageRoot)/manifests/base/webhook.yaml", encoding: .utf8)
            try await harness.fake.apply(yaml: text)
            let port = try Ports.free()
            let listen = try #require(ListenAddress("127.0.0.1:\(port)"))
            let store = ClusterAuthorityStore(harness.client, namespace: KubernetesHarness.system)
            let replica = try harness.makeReplica("remora-0") { settings in
                var webhook = WebhookConfiguration(
                    listen: listen,
                    injector: RunningWebhook.settings,
                    certificates: .authority(store),
                    names: WebhookConfiguration.names(
                        ofServices: ["remora-webhook", "remora-agents"],
                        in: KubernetesHarness.system
                    )
                )
                webhook.lingering = .zero
                settings.webhook = webhook
            }
            harness.fake.route(namespace: KubernetesHarness.system, service: "remora-webhook", to: Int(port))
            try await harness.run([replica]) {
                try await eventually("the API server knows the webhook") {
                    harness.fake.object(
                        "mutatingwebhookconfigurations",
                        group: "admissionregistration.k8s.io",
                        name: "zz-remora-injector"
                    )?["webhooks"]?[0]?[path: "clientConfig", "caBundle"]?.string?.isEmpty == false
                }
                // As a workload's controller does, which tries again when a pod was refused.
                let made = try await eventually("a pod is made with its agent") { () -> JSONTree? in
                    let answer = await harness.fake.send(
                        "POST",
                        "/api/v1/namespaces/shop/pods",
                        Self.pod("orders-0")
                    )
                    return answer.status == 201 ? answer.body : nil
                }
                #expect(made[path: "metadata", "labels", "remora.dev/injected"] == "true", "\(made)")
                let agent = made[path: "spec", "initContainers"]?[0]
                #expect(
                    agent?["resources"] == [
                        "requests": ["cpu": "50m", "memory": "128Mi"], "limits": ["cpu": "1", "memory": "256Mi"],
                    ]
                )
                #expect(harness.fake.openWatches() <= 8)
                // A second one needs no second try.
                let second = await harness.fake.send("POST", "/api/v1/namespaces/shop/pods", Self.pod("orders-1"))
                #expect(second.status == 201)
                #expect(second.body[path: "metadata", "labels", "remora.dev/injected"] == "true")
            }
        }
    }

    @Test("limits are found out at first sight of a namespace, and again in time")
    func firstSight() async throws {
        try await KubernetesHarness.run { harness in
            let limits = NamespaceLimits(
                client: harness.client,
                interval: .milliseconds(100),
                logger: CertificateKeeperTests.quiet
            )
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await limits.run() }
                #expect(limits.limits(of: "shop") == nil)
                try await eventually("it is known that there are none") {
                    limits.limits(of: "shop") == NamespaceFacts.Limits(limitRanges: [], quotas: [])
                }
                try await harness.fake.apply(yaml: Self.limits)
                try await eventually("they are known") {
                    let known = limits.limits(of: "shop")
                    return known?.container.maximumMemory == "256Mi" && known?.needsCPULimit == true
                }
                // What was known stays while nobody answers.
                harness.fake.misbehave(.status(403, retryAfter: nil), verb: "list", path: "limitranges", times: 3)
                for _ in 0..<3 {
                    let count = harness.fake.requests.count
                    try await eventually("it was asked again") { harness.fake.requests.count > count }
                    #expect(limits.limits(of: "shop")?.container.maximumMemory == "256Mi")
                }
                tasks.cancelAll()
            }
        }
    }
}
