import FakeAPIServer
import HTTPClient
import Kubernetes
import Testing

@Suite("the fake API server: objects")
struct ObjectTests {
    @Test("a new object gets what only the server sets")
    func created() async throws {
        try await FakeAPIServer.withShop { server in
            let answer = await server.send("POST", Samples.configMaps, Samples.configMap("a", ["x": "1"]))
            #expect(answer.status == 201)
            let metadata = answer.body["metadata"] ?? [:]
            #expect(metadata["uid"]?.string?.count == 36)
            #expect(metadata["creationTimestamp"]?.string?.hasSuffix("Z") == true)
            #expect(metadata["namespace"] == "shop")
            #expect(metadata["resourceVersion"]?.string?.isEmpty == false)
            #expect(metadata["managedFields"]?[0]?["manager"] == "test")
            let again = await server.send("POST", Samples.configMaps, Samples.configMap("a"))
            #expect(again.status == 409 && again.body["reason"] == "AlreadyExists")
            #expect(again.body["message"] == "configmaps \"a\" already exists")
        }
    }

    @Test(
        "names, labels and annotations must be well-formed",
        arguments: [
            (#"{"name":"Big"}"#, "metadata.name"), (#"{"name":"a_b"}"#, "metadata.name"),
            (#"{"generateName":"-x"}"#, "metadata.generateName"), ("{}", "metadata.name"),
            (#"{"name":"a","labels":{"-k":"v"}}"#, "metadata.labels"),
            (#"{"name":"a","labels":{"k":"a b"}}"#, "metadata.labels"),
            (#"{"name":"a","labels":{"a/b/c":"v"}}"#, "metadata.labels"),
            (#"{"name":"a","annotations":{"_":"v"}}"#, "metadata.annotations"),
            (#"{"name":"a","finalizers":["plain"]}"#, "metadata.finalizers"),
            (
                #"{"name":"a","ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"o","uid":""}]}"#,
                "metadata.ownerReferences.uid"
            ),
        ]
    )
    func metadata(metadata: String, field: String) async throws {
        try await FakeAPIServer.withShop { server in
            var object = Samples.configMap("a")
            object["metadata"] = try JSONTree(parsing: metadata)
            let answer = await server.send("POST", Samples.configMaps, object)
            #expect(answer.status == 422 && answer.body["reason"] == "Invalid")
            #expect(causes(answer).contains { $0.hasPrefix(field) }, "\(answer.body)")
        }
    }

    @Test("names, values of labels and annotations have their lengths")
    func lengths() async throws {
        try await FakeAPIServer.withShop { server in
            let long = { (count: Int) in JSONTree.string(String(repeating: "a", count: count)) }
            var named = Samples.configMap("a")
            named["metadata"] = ["name": long(254)]
            #expect(await server.send("POST", Samples.configMaps, named).status == 422)
            named["metadata"] = ["name": "a", "labels": ["k": long(64)]]
            #expect(await server.send("POST", Samples.configMaps, named).status == 422)
            named["metadata"] = ["name": "a", "annotations": ["k": long(256 << 10)]]
            #expect(await server.send("POST", Samples.configMaps, named).status == 422)
            named["metadata"] = [
                "name": long(253), "labels": ["k": long(63)], "annotations": ["k": long((256 << 10) - 1)],
            ]
            #expect(await server.send("POST", Samples.configMaps, named).status == 201)
        }
    }

    @Test("an object needs its namespace, its own and one that stays")
    func namespaces() async throws {
        try await FakeAPIServer.withShop { server in
            let missing = await server.send("POST", "/api/v1/namespaces/none/configmaps", Samples.configMap("a"))
            #expect(missing.status == 404 && missing.body["message"] == "namespaces \"none\" not found")
            var other = Samples.configMap("a")
            other["metadata"]?["namespace"] = "default"
            #expect(await server.send("POST", Samples.configMaps, other).status == 400)
            var held = Samples.configMap("held")
            held["metadata"]?["finalizers"] = ["example.dev/hold"]
            try await server.create(held, namespace: "shop")
            #expect(await server.send("DELETE", "\(Samples.namespaces)/shop").body["status"]?["phase"] == "Terminating")
            let late = await server.send("POST", Samples.configMaps, Samples.configMap("late"))
            #expect(late.status == 403 && causes(late).contains { $0.contains("is being terminated") })
            await server.settle()
            #expect(server.object("namespaces", name: "shop") != nil)
            _ = await server.send("PATCH", "\(Samples.configMaps)/held", ["metadata": ["finalizers": .null]])
            await server.settle()
            #expect(server.object("namespaces", name: "shop") == nil)
            #expect(server.objects("configmaps", namespace: "shop").isEmpty)
        }
    }

    @Test("a stale write is a conflict, one that changes nothing is none")
    func conflicts() async throws {
        try await FakeAPIServer.withShop { server in
            let first = try await server.create(Samples.configMap("a", ["x": "1"]), namespace: "shop")
            var second = first
            second["data"]?["x"] = "2"
            let updated = await server.send("PUT", "\(Samples.configMaps)/a", second)
            #expect(updated.status == 200)
            let stale = await server.send("PUT", "\(Samples.configMaps)/a", first)
            #expect(stale.status == 409 && stale.body["reason"] == "Conflict")
            let same = await server.send("PUT", "\(Samples.configMaps)/a", updated.body)
            #expect(same.body["metadata"]?["resourceVersion"] == updated.body["metadata"]?["resourceVersion"])
            let pinned = await server.send(
                "PATCH",
                "\(Samples.configMaps)/a",
                ["metadata": ["resourceVersion": "1"], "data": ["y": "1"]]
            )
            #expect(pinned.status == 409)
            var renamed = updated.body
            renamed["metadata"]?["name"] = "b"
            #expect(await server.send("PUT", "\(Samples.configMaps)/a", renamed).status == 400)
        }
    }

    @Test("deletion heeds finalizers, preconditions and policies")
    func deletion() async throws {
        try await FakeAPIServer.withShop { server in
            var object = Samples.configMap("a")
            object["metadata"]?["finalizers"] = ["example.dev/hold"]
            try await server.create(object, namespace: "shop")
            let wrong = await server.send("DELETE", "\(Samples.configMaps)/a", ["preconditions": ["uid": "x"]])
            #expect(wrong.status == 409 && wrong.body["message"]?.string?.contains("Precondition failed: UID") == true)
            #expect(
                await server.send("DELETE", "\(Samples.configMaps)/a", ["propagationPolicy": "Slowly"]).status == 422
            )
            let begun = await server.send("DELETE", "\(Samples.configMaps)/a")
            #expect(begun.body["metadata"]?["deletionTimestamp"] != nil)
            let added = await server.send(
                "PATCH",
                "\(Samples.configMaps)/a",
                ["metadata": ["finalizers": ["example.dev/hold", "example.dev/more"]]]
            )
            #expect(added.status == 422)
            #expect(
                await server.send("PATCH", "\(Samples.configMaps)/a", ["metadata": ["finalizers": []]]).status == 200
            )
            #expect(server.object("configmaps", namespace: "shop", name: "a") == nil)
            #expect(await server.send("DELETE", "\(Samples.configMaps)/a").status == 404)
        }
    }

    @Test("what has lost its owner goes, unless it was to stay")
    func garbage() async throws {
        try await FakeAPIServer.withShop { server in
            let owner = try await server.create(Samples.configMap("owner"), namespace: "shop")
            func owned(_ name: String, uid: String?) -> JSONTree {
                var object = Samples.configMap(name)
                object["metadata"]?["ownerReferences"] = [
                    [
                        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
                        "uid": owner["metadata"]?["uid"] ?? .null,
                    ]
                ]
                if let uid {
                    object["metadata"]?["ownerReferences"] = [
                        ["apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": .string(uid)]
                    ]
                }
                return object
            }
            try await server.create(owned("child", uid: nil), namespace: "shop")
            try await server.create(owned("stray", uid: "00000000-0000-0000-0000-000000000000"), namespace: "shop")
            try await server.waitUntil("the stray is gone") {
                $0.object("configmaps", namespace: "shop", name: "stray") == nil ? true : nil
            }
            #expect(server.object("configmaps", namespace: "shop", name: "child") != nil)
            _ = await server.send("DELETE", "\(Samples.configMaps)/owner", ["propagationPolicy": "Orphan"])
            try await server.waitUntil("the owner is gone") {
                $0.object("configmaps", namespace: "shop", name: "owner") == nil ? true : nil
            }
            let child = server.object("configmaps", namespace: "shop", name: "child")
            #expect(child != nil && child?["metadata"]?["ownerReferences"] == nil)
        }
    }

    @Test("a pod on a node ends in its own time")
    func grace() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.create(Samples.pod { $0["spec"]?["nodeName"] = "n1" }, namespace: "shop")
            let begun = await server.send("DELETE", "\(Samples.pods)/mongo-0")
            #expect(begun.body["metadata"]?["deletionGracePeriodSeconds"] == 30)
            #expect(server.object("pods", namespace: "shop", name: "mongo-0") != nil)
            #expect(await server.send("DELETE", "\(Samples.pods)/mongo-0?gracePeriodSeconds=0").status == 200)
            #expect(server.object("pods", namespace: "shop", name: "mongo-0") == nil)
        }
    }

    @Test("dry runs check everything and store nothing")
    func dryRun() async throws {
        try await FakeAPIServer.withShop { server in
            let answer = await server.send("POST", "\(Samples.configMaps)?dryRun=All", Samples.configMap("a"))
            #expect(answer.status == 201 && answer.body["metadata"]?["uid"] != nil)
            #expect(server.object("configmaps", namespace: "shop", name: "a") == nil)
            #expect(
                await server.send("POST", "\(Samples.configMaps)?dryRun=Some", Samples.configMap("a")).status == 400
            )
        }
    }

    @Test(
        "bodies that make no sense are refused",
        arguments: [
            (#"{"apiVersion":"v1"}"#, "application/json", 400), ("[]", "application/json", 400),
            ("{", "application/json", 400),
            (#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}"#, "application/json", 400),
            (#"{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"a"}}"#, "application/json", 400),
            (#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":7}}"#, "application/json", 400),
            (
                #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":1}}"#, "application/json",
                400
            ),
            (#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#, "text/plain", 415),
        ]
    )
    func bodies(body: String, contentType: String, status: Int) async throws {
        try await FakeAPIServer.withShop { server in
            let client = HTTPClient()
            let response = try await client.send(
                HTTPRequest(
                    method: "POST",
                    url: server.url + Samples.configMaps,
                    headers: [("Authorization", "Bearer \(server.adminToken)"), ("Content-Type", contentType)],
                    body: Array(body.utf8)
                )
            )
            #expect(response.status == status, "\(String(decoding: response.body, as: UTF8.self))")
        }
    }

    @Test("unknown fields are dropped with a warning, or refused")
    func unknownFields() async throws {
        try await FakeAPIServer.withShop { server in
            let pod = Samples.pod { $0["spec"]?["hostnam"] = "x" }
            let warned = await server.send("POST", Samples.pods, pod)
            #expect(warned.status == 201 && warned.warnings == ["unknown field \"spec.hostnam\""])
            #expect(warned.body["spec"]?["hostnam"] == nil)
            let strict = await server.send("POST", "\(Samples.pods)?fieldValidation=Strict", pod)
            #expect(
                strict.status == 400
                    && strict.body["message"]?.string?.contains("strict decoding error: unknown field \"spec.hostnam\"")
                        == true
            )
        }
    }
}
