import FakeAPIServer
import Kubernetes
import Testing

@Suite("the fake API server: built-in kinds")
struct KindTests {
    @Test(
        "objects that a real server refuses",
        arguments: [
            (
                "/api/v1/namespaces/shop/secrets",
                #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"a b":"eA=="}}"#, 422
            ),
            (
                "/api/v1/namespaces/shop/secrets",
                #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"a":"not base64"}}"#, 400
            ),
            (
                "/api/v1/namespaces/shop/secrets",
                #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"type":"kubernetes.io/tls"}"#, 422
            ),
            (
                "/api/v1/namespaces/shop/services",
                #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{}}"#, 422
            ),
            (
                "/api/v1/namespaces/shop/services",
                #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"1a"},"spec":{"ports":[{"port":1}]}}"#, 422
            ),
            (
                "/api/v1/namespaces/shop/services",
                #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":1},{"port":2}]}}"#,
                422
            ),
            (
                "/apis/coordination.k8s.io/v1/namespaces/shop/leases",
                #"{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"a"},"spec":{"leaseDurationSeconds":0}}"#,
                422
            ),
            (
                "/apis/coordination.k8s.io/v1/namespaces/shop/leases",
                #"{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"a"},"spec":{"renewTime":"2026-01-01T00:00:00Z"}}"#,
                400
            ),
            (
                "/apis/events.k8s.io/v1/namespaces/shop/events",
                #"{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"a"},"regarding":{"namespace":"shop"},"reason":"R","type":"Normal"}"#,
                422
            ),
            (
                "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles",
                #"{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"a"},"rules":[{"verbs":["get"],"resources":["pods"]}]}"#,
                422
            ),
            (
                "/apis/apps/v1/namespaces/shop/deployments",
                #"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"spec":{"containers":[{"name":"a","image":"i"}]}}}}"#,
                422
            ),
            (
                "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
                #"{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingAdmissionPolicy","metadata":{"name":"a"},"spec":{"matchConstraints":{"resourceRules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}]},"validations":[{"expression":"object.x ="}]}}"#,
                422
            ),
        ]
    )
    func refused(path: String, body: String, status: Int) async throws {
        try await FakeAPIServer.withShop { server in
            let answer = await server.send("POST", path, try JSONTree(parsing: body))
            #expect(answer.status == status, "\(answer.body)")
        }
    }

    @Test("an event is the same in both of its groups")
    func events() async throws {
        try await FakeAPIServer.withShop { server in
            let event: JSONTree = [
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": ["name": "a.1"],
                "eventTime": "2026-01-01T00:00:00.000000Z",
                "regarding": ["kind": "Pod", "namespace": "shop", "name": "mongo-0"], "reason": "Injected",
                "action": "Inject", "note": "done",
                "reportingController": "remora.dev/coordinator", "reportingInstance": "c-0", "type": "Normal",
            ]
            #expect(await server.send("POST", "/apis/events.k8s.io/v1/namespaces/shop/events", event).status == 201)
            let old = await server.send(
                "GET",
                "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%3Dmongo-0"
            ).body
            #expect(old["items"]?[0]?["message"] == "done")
            let new = await server.send("GET", "/apis/events.k8s.io/v1/namespaces/shop/events/a.1").body
            #expect(new["note"] == "done" && new["apiVersion"] == "events.k8s.io/v1")
        }
    }

    @Test("secrets take plain texts in, and what is immutable stays")
    func secrets() async throws {
        try await FakeAPIServer.withShop { server in
            let secret: JSONTree = [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "a"], "stringData": ["x": "hi"],
                "immutable": true,
            ]
            let stored = try await server.create(secret, namespace: "shop")
            #expect(stored["data"] == ["x": "aGk="] && stored["stringData"] == nil && stored["type"] == "Opaque")
            #expect(
                await server.send("PATCH", "/api/v1/namespaces/shop/secrets/a", ["data": ["x": "eA=="]]).status == 422
            )
        }
    }

    @Test("a workload is scaled by its own endpoint")
    func scale() async throws {
        try await FakeAPIServer.withShop { server in
            let set: JSONTree = [
                "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": ["name": "m"],
                "spec": ["selector": ["matchLabels": ["a": "b"]], "template": ["metadata": ["labels": ["a": "b"]]]],
            ]
            try await server.create(set, namespace: "shop")
            let path = "/apis/apps/v1/namespaces/shop/statefulsets/m/scale"
            #expect(await server.send("GET", path).body["spec"] == ["replicas": 1])
            #expect(await server.send("PATCH", path, ["spec": ["replicas": 0]]).body["spec"] == ["replicas": 0])
            #expect(
                server.object("statefulsets", group: "apps", namespace: "shop", name: "m")?["spec"]?["replicas"] == 0
            )
            #expect(await server.send("PATCH", path, ["spec": ["replicas": -1]]).status == 422)
        }
    }

    @Test("what the server stores it takes back, strictly, and nothing changes")
    func roundTrip() async throws {
        try await FakeAPIServer.withWidgets(["type": "object"]) { server in
            try await server.create(Samples.pod(), namespace: "shop")
            let places = [
                ("/api/v1", "", "namespaces"), ("/api/v1", "", "pods"), ("/api/v1", "", "configmaps"),
                ("/api/v1", "", "serviceaccounts"),
                ("/apis/apiextensions.k8s.io/v1", "apiextensions.k8s.io", "customresourcedefinitions"),
                ("/apis/rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io", "clusterroles"),
                ("/apis/rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io", "clusterrolebindings"),
                ("/apis/scheduling.k8s.io/v1", "scheduling.k8s.io", "priorityclasses"),
            ]
            for (root, group, resource) in places {
                let objects = server.objects(resource, group: group)
                #expect(!objects.isEmpty)
                for object in objects {
                    let namespace = object["metadata"]?["namespace"]?.string.map { "/namespaces/\($0)" } ?? ""
                    let name = object["metadata"]?["name"]?.string ?? ""
                    let path = "\(root)\(namespace)/\(resource)/\(name)?fieldValidation=Strict"
                    let answer = await server.send("PUT", path, object)
                    #expect(answer.status == 200, "\(answer.body)")
                    #expect(answer.body["metadata"]?["generation"] == object["metadata"]?["generation"])
                }
            }
        }
    }

    @Test("paths and methods that don't exist")
    func paths() async throws {
        try await FakeAPIServer.withShop { server in
            #expect(await server.send("GET", "/api/v1/namespaces/shop/things").status == 404)
            #expect(await server.send("GET", "/apis/none.dev/v1").status == 404)
            #expect(await server.send("GET", "/api/v1/namespaces/shop/nodes").status == 404)
            #expect(await server.send("POST", "/api/v1/configmaps", Samples.configMap("a")).status == 405)
            #expect(await server.send("PUT", Samples.configMaps, Samples.configMap("a")).status == 405)
            #expect(await server.send("GET", "/apis/authentication.k8s.io/v1/tokenreviews").status == 405)
            #expect(await server.send("GET", "/api/v1/namespaces/shop/configmaps/a/status").status == 404)
        }
    }
}
