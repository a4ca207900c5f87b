import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import Synchronization
import Testing

@Suite("the fake API server: identities and rights")
struct AccessTests {
    private static let rights = """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: reader, labels: {part: "yes"}}
        rules:
        - {apiGroups: [""], resources: [configmaps], verbs: [get, list]}
        - {apiGroups: [""], resources: [pods/status], verbs: [patch]}
        - {nonResourceURLs: [/metrics], verbs: [get]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: all}
        rules: []
        aggregationRule: {clusterRoleSelectors: [{matchLabels: {part: "yes"}}]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: reader, namespace: shop}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all}
        subjects: [{kind: ServiceAccount, name: default, namespace: shop}]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: one, namespace: shop}
        rules: [{apiGroups: [""], resources: [secrets], resourceNames: [mine], verbs: [get]}]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: one, namespace: shop}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: one}
        subjects: [{kind: Group, name: "system:serviceaccounts:shop", apiGroup: rbac.authorization.k8s.io}]
        """

    @Test(
        "a service account may do what roles and bindings say, and nothing else",
        arguments: [
            ("GET", "/api/v1/namespaces/shop/configmaps", true),
            ("GET", "/api/v1/namespaces/default/configmaps", false),
            ("GET", "/api/v1/configmaps", false), ("GET", "/api/v1/namespaces/shop/configmaps?watch=1", false),
            ("DELETE", "/api/v1/namespaces/shop/configmaps/kube-root-ca.crt", false),
            ("GET", "/api/v1/namespaces/shop/secrets/mine", true),
            ("GET", "/api/v1/namespaces/shop/secrets/other", false),
            ("GET", "/api/v1/namespaces/shop/secrets?watch=1&fieldSelector=metadata.name%3Dmine", false),
            ("GET", "/api/v1/namespaces/shop/secrets", false),
            ("PATCH", "/api/v1/namespaces/shop/pods/a/status", true),
            ("PATCH", "/api/v1/namespaces/shop/pods/a", false), ("GET", "/version", true),
        ]
    )
    func rights(method: String, target: String, isAllowed: Bool) async throws {
        try await FakeAPIServer.withShop { server in
            try await server.apply(yaml: Self.rights)
            let identity = Identity(username: "system:serviceaccount:shop:default")
            let answer = await server.send(method, target, method == "PATCH" ? [:] : nil, as: identity)
            #expect((answer.status != 403) == isAllowed, "\(answer.body)")
            if !isAllowed {
                #expect(
                    answer.body["message"]?.string?.contains("User \"system:serviceaccount:shop:default\" cannot")
                        == true
                )
            }
        }
    }

    @Test("nobody gives away rights that he doesn't have")
    func escalation() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.apply(
                yaml: """
                    apiVersion: rbac.authorization.k8s.io/v1
                    kind: Role
                    metadata: {name: maker, namespace: shop}
                    rules:
                    - {apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [create]}
                    - {apiGroups: [""], resources: [pods], verbs: [get]}
                    ---
                    apiVersion: rbac.authorization.k8s.io/v1
                    kind: RoleBinding
                    metadata: {name: maker, namespace: shop}
                    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: maker}
                    subjects: [{kind: User, name: ann, apiGroup: rbac.authorization.k8s.io}]
                    """
            )
            func role(_ name: String, _ verb: JSONTree) -> JSONTree {
                [
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": ["name": .string(name)],
                    "rules": [["apiGroups": [""], "resources": ["pods"], "verbs": [verb]]],
                ]
            }
            let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles"
            #expect(await server.send("POST", path, role("a", "get"), as: Identity(username: "ann")).status == 201)
            let denied = await server.send("POST", path, role("b", "delete"), as: Identity(username: "ann"))
            #expect(
                denied.status == 403
                    && denied.body["message"]?.string?.contains(
                        "attempting to grant RBAC permissions not currently held"
                    ) == true
            )
        }
    }

    @Test("who isn't known isn't served, over TLS too")
    func unauthorized() async throws {
        try await FakeAPIServer.run { server in
            for token in ["", "nonsense"] {
                let response = try await server.http("GET", Samples.namespaces, token: token)
                #expect(response.status == 401)
                #expect(try JSONTree(parsing: response.body)["reason"] == "Unauthorized")
            }
            #expect(try await server.http("GET", Samples.namespaces).status == 200)
            let token = server.token(for: Identity(username: "ann"))
            #expect(try await server.http("GET", Samples.namespaces, token: token).status == 403)
            let asAnn = try await server.http("GET", Samples.namespaces, headers: [("Impersonate-User", "ann")])
            #expect(asAnn.status == 403)
            let asAdmin = try await server.http(
                "GET",
                Samples.namespaces,
                token: token,
                headers: [("Impersonate-User", "root")]
            )
            #expect(asAdmin.status == 403)
            server.revoke(token)
            #expect(try await server.http("GET", Samples.namespaces, token: token).status == 401)
            #expect(server.kubeconfig().contains("certificate-authority-data"))
        }
    }

    @Test("tokens of service accounts expire, and go with their pod and account")
    func tokens() async throws {
        let shared = SharedClock()
        var options = FakeAPIServerOptions()
        options.now = { shared.now }
        try await FakeAPIServer.withShop(options) { server in
            try await server.create(Samples.pod { $0["spec"]?["nodeName"] = "n1" }, namespace: "shop")
            let token = try server.serviceAccountToken(namespace: "shop", audiences: ["remora.dev"], pod: "mongo-0")
            func review(_ audience: JSONTree) async -> JSONTree {
                let body: JSONTree = [
                    "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                    "spec": ["token": .string(token), "audiences": [audience]],
                ]
                return await server.send("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body).body["status"]
                    ?? [:]
            }
            let good = await review("remora.dev")
            #expect(good["authenticated"] == true && good["audiences"] == ["remora.dev"])
            #expect(good["user"]?["username"] == "system:serviceaccount:shop:default")
            #expect(good["user"]?["extra"]?["authentication.kubernetes.io/pod-name"] == ["mongo-0"])
            #expect(good["user"]?["extra"]?["authentication.kubernetes.io/node-name"] == ["n1"])
            let other = await review("other")
            #expect(other["authenticated"] == nil && other["error"] != nil)
            #expect(try await server.http("GET", "/version", token: token).status == 401)
            let plain = try server.serviceAccountToken(namespace: "shop", lifetime: 60)
            #expect(try await server.http("GET", "/version", token: plain).status == 200)
            shared.advance(61)
            #expect(try await server.http("GET", "/version", token: plain).status == 401)
            _ = await server.send("DELETE", "\(Samples.pods)/mongo-0?gracePeriodSeconds=0")
            let late = await review("remora.dev")
            #expect(late["authenticated"] == nil)
        }
    }

    @Test("a token is given for an account, bound to its pod, and for long enough")
    func tokenRequests() async throws {
        try await FakeAPIServer.withShop { server in
            let path = "/api/v1/namespaces/shop/serviceaccounts/default/token"
            func ask(_ spec: JSONTree) async -> FakeAPIServer.Answer {
                await server.send(
                    "POST",
                    path,
                    ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec]
                )
            }
            let given = await ask(["audiences": ["https://kubernetes.default.svc.cluster.local"]])
            #expect(given.status == 201)
            let token = try #require(given.body["status"]?["token"]?.string)
            #expect(try await server.http("GET", "/version", token: token).status == 200)
            #expect(await ask(["expirationSeconds": 60]).status == 422)
            #expect(await ask(["boundObjectRef": ["kind": "Pod", "apiVersion": "v1", "name": "none"]]).status == 404)
        }
    }

    @Test("access reviews answer what the rules say")
    func reviews() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.apply(yaml: Self.rights)
            func allowed(_ user: String, _ verb: JSONTree, _ namespace: JSONTree) async -> JSONTree? {
                let body: JSONTree = [
                    "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                    "spec": [
                        "user": .string(user),
                        "resourceAttributes": ["verb": verb, "resource": "configmaps", "namespace": namespace],
                    ],
                ]
                return await server.send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body).body[
                    "status"
                ]?["allowed"]
            }
            #expect(await allowed("system:serviceaccount:shop:default", "list", "shop") == true)
            #expect(await allowed("system:serviceaccount:shop:default", "list", "default") == false)
            #expect(await allowed("ann", "list", "shop") == false)
        }
    }
}

/// A clock that a test moves.
private final class SharedClock: Sendable {
    private let offset = Mutex<TimeInterval>(0)
    var now: Date { Date().addingTimeInterval(offset.withLock { $0 }) }
    func advance(_ seconds: TimeInterval) { offset.withLock { $0 += seconds } }
}
