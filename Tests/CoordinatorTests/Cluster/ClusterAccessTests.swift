import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@testable import Coordinator

@Suite struct ClusterAccessTests {
    @Test("an agent can only ever be its own pod")
    func ownPod() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.lead { coordinator in
                var agent = try await harness.makeAgent(coordinator)
                let good = agent
                func refused(_ change: (inout ScriptedAgent) throws -> Void) async throws -> String {
                    var agent = good
                    try change(&agent)
                    return try refusal(try await agent.tryRegister())
                }
                #expect(try await refused { $0.uid = "another" } == "403 notYourPod")
                #expect(try await refused { $0.pod = "mongo-2" } == "403 notYourPod")
                #expect(try await refused { $0.bearer = "nonsense" } == "401 unauthorized")
                #expect(
                    try await refused {
                        $0.bearer = try harness.fake.serviceAccountToken(namespace: "shop", pod: "mongo-1")
                    } == "401 unauthorized"
                )
                #expect(
                    try await refused {
                        $0.bearer = try harness.fake.serviceAccountToken(
                            namespace: "shop",
                            audiences: ["somebody.else"],
                            pod: "mongo-1"
                        )
                    } == "401 unauthorized"
                )
                #expect(
                    try await refused {
                        $0.bearer = try harness.fake.serviceAccountToken(namespace: "shop", audiences: ["remora.dev"])
                    } == "403 notAnAgent"
                )
                try await harness.makePod("plain", labels: [:], annotations: [:])
                #expect(
                    try await refused {
                        $0 = try harness.agent(coordinator, pod: "plain")
                    } == "403 notAnAgent"
                )
                try await harness.makePod(
                    "users-0",
                    labels: ["remora.dev/injected": "true", "remora.dev/cluster": "users"]
                )
                // Its token is good, but it says that it belongs to another target.
                #expect(
                    try await refused {
                        $0 = try harness.agent(coordinator, pod: "users-0")
                    } == "403 notYourPod"
                )
                try await agent.register()
                #expect(try await agent.checkin().jobs.isEmpty)
            }
        }
    }

    @Test("people may do what their roles allow, in the namespaces where they do")
    func people() async throws {
        try await KubernetesHarness.run(FakeAPIServerOptions()) { harness in
            try await harness.fake.apply(
                yaml: """
                    apiVersion: rbac.authorization.k8s.io/v1
                    kind: Role
                    metadata: {name: backup, namespace: shop}
                    rules:
                    - {apiGroups: [remora.dev], resources: [backupsessions], verbs: [get, list, create]}
                    ---
                    apiVersion: rbac.authorization.k8s.io/v1
                    kind: RoleBinding
                    metadata: {name: backup, namespace: shop}
                    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: backup}
                    subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: bob}]
                    """
            )
            try await harness.lead { coordinator in
                let bob = harness.fake.token(for: Identity(username: "bob", groups: ["system:authenticated"]))
                func call(_ method: String, _ path: String, _ body: String = "") async throws -> String {
                    let response = try await coordinator.call(method, path, token: bob, body)
                    return response.status < 300 ? "\(response.status)" : try refusal(response)
                }
                #expect(try refusal(try await coordinator.call("GET", UserAPI.sessionsPath)) == "401 unauthorized")
                #expect(try await call("GET", UserAPI.sessionsPath) == "403 forbidden")
                #expect(try await call("GET", UserAPI.sessionsPath + "?namespace=other") == "403 forbidden")
                #expect(try await call("GET", UserAPI.sessionsPath + "?namespace=shop") == "200")
                let body = #"{"namespace":"shop","configuration":"hourly","requestedBy":"the queen"}"#
                let made = try await coordinator.call("POST", UserAPI.backupsPath, token: bob, body)
                let view = try WireJSON.decode(SessionView.self, from: made.body)
                // Who it was is not what the caller says.
                #expect(view.requestedBy == "bob")
                #expect(harness.session(view.name)?[path: "spec", "requestedBy"] == "bob")
                let key = ResourceKey(namespace: "shop", name: view.name)
                #expect(try await call("GET", UserAPI.sessionPath(key)) == "200")
                #expect(try await call("GET", UserAPI.logsPath(key)) == "403 forbidden")
                #expect(try await call("POST", UserAPI.cancelPath(key)) == "403 forbidden")
                let restore = #"{"namespace":"shop","target":"orders","from":"latest"}"#
                #expect(try await call("POST", UserAPI.restoresPath, restore) == "403 forbidden")
            }
        }
    }
}
