import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import TestSupport
import Testing

@Suite("the fake API server: refusals of bodies and by webhooks that validate")
struct RefusalTests {
    // MARK: Validating webhooks

    private static func configuration(_ hook: FakeWebhook, _ change: (inout JSONTree) -> Void = { _ in }) -> JSONTree {
        var webhook: JSONTree = [
            "name": "guard.example.dev", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": [
                "url": .string("\(hook.url)/guard"),
                "caBundle": .string(Data(hook.authority.utf8).base64EncodedString()),
            ],
            "rules": [
                [
                    "operations": ["CREATE", "UPDATE", "DELETE"], "apiGroups": [""], "apiVersions": ["v1"],
                    "resources": ["configmaps"],
                ]
            ],
        ]
        change(&webhook)
        return [
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": ["name": "guard"], "webhooks": [webhook],
        ]
    }

    private func with(
        _ change: (inout JSONTree) -> Void = { _ in },
        answer: @escaping @Sendable (JSONTree) -> JSONTree,
        _ body: (FakeAPIServer, FakeWebhook) async throws -> Void
    ) async throws {
        let hook = try await FakeWebhook.start(answer)
        do {
            try await FakeAPIServer.withShop { server in
                try await server.create(Self.configuration(hook, change))
                try await body(server, hook)
            }
        } catch {
            await hook.stop()
            throw error
        }
        await hook.stop()
    }

    @Test("a webhook that validates sees each write as it will be stored, and its no is final")
    func validates() async throws {
        let answer: @Sendable (JSONTree) -> JSONTree = { request in
            let data = (request["object"] ?? .null)["data"] ?? (request["oldObject"] ?? .null)["data"]
            guard data?["x"] == "bad" else { return ["allowed": true, "warnings": ["seen"]] }
            return ["allowed": false, "status": ["message": "x is bad", "code": 403, "reason": "Forbidden"]]
        }
        try await with(answer: answer) { server, hook in
            let path = "\(Samples.configMaps)/a"
            let created = await server.send("POST", Samples.configMaps, Samples.configMap("a", ["x": "good"]))
            #expect(created.status == 201 && created.warnings == ["seen"])
            let changed = await server.send("PATCH", path, ["data": ["x": "bad"]])
            #expect(changed.status == 403 && changed.body["reason"] == "Forbidden")
            #expect(
                changed.body["message"] == "admission webhook \"guard.example.dev\" denied the request: x is bad"
            )
            #expect(server.object("configmaps", namespace: "shop", name: "a")?["data"]?["x"] == "good")
            try server.alter("configmaps", namespace: "shop", name: "a") { $0["data"] = ["x": "bad"] }
            #expect(await server.send("DELETE", path).status == 403)
            #expect(await server.send("DELETE", Samples.configMaps).status == 403)
            #expect(server.object("configmaps", namespace: "shop", name: "a") != nil)
            let asked = hook.requests
            try #require(asked.map { $0["operation"]?.string } == ["CREATE", "UPDATE", "DELETE", "DELETE"])
            #expect(asked[0]["object"]?["metadata"]?["uid"] != nil && asked[0]["oldObject"] == .null)
            #expect(asked[1]["oldObject"]?["data"]?["x"] == "good")
            #expect(asked[2]["object"] == .null && asked[2]["name"] == "a")
        }
    }

    @Test(
        "a no without a code is a bad request, and one without a word says so",
        arguments: [
            (#"{"allowed":false}"#, "denied the request without explanation"),
            (#"{"allowed":false,"status":{"code":200,"message":"no"}}"#, "denied the request: no"),
            (#"{"allowed":false,"status":{"reason":"Because"}}"#, "denied the request: Because"),
        ]
    )
    func bareDenial(answer: String, message: String) async throws {
        let tree = try JSONTree(parsing: Array(answer.utf8))
        try await with(answer: { _ in tree }) { server, _ in
            let created = await server.send("POST", Samples.configMaps, Samples.configMap("a"))
            #expect(created.status == 400)
            #expect(created.body["message"] == .string("admission webhook \"guard.example.dev\" \(message)"))
        }
    }

    @Test(
        "a webhook that validates and can't answer stops writes, unless failures are ignored",
        arguments: [true, false]
    )
    func failures(isIgnored: Bool) async throws {
        try await with({ $0["failurePolicy"] = isIgnored ? "Ignore" : "Fail" }, answer: { _ in "no" }) { server, hook in
            let created = await server.send("POST", Samples.configMaps, Samples.configMap("a"))
            #expect(created.status == (isIgnored ? 201 : 500))
            if !isIgnored {
                #expect(
                    created.body["message"]?.string?.contains("failed calling webhook \"guard.example.dev\"") == true
                )
            }
            #expect(server.failedOpen.count == (isIgnored ? 1 : 0) && hook.requests.count == 1)
            // Of no concern to it.
            #expect(await server.send("POST", Samples.pods, Samples.pod()).status == 201)
        }
    }

    // MARK: Bodies

    private func send(
        _ server: FakeAPIServer,
        _ method: String,
        _ target: String,
        _ contentType: String,
        _ body: [UInt8]
    ) async throws -> HTTPResponse {
        try await HTTPClient().send(
            HTTPRequest(
                method: method,
                url: server.url + target,
                headers: [("Authorization", "Bearer \(server.adminToken)"), ("Content-Type", contentType)],
                body: body
            )
        )
    }

    @Test("a body of more than 3 MiB, and a patch of more than 10000 steps, are too large")
    func tooLarge() async throws {
        try await FakeAPIServer.withShop { server in
            func map(_ bytes: Int) -> [UInt8] {
                let empty = Samples.configMap("a", ["x": ""]).bytes.count
                return Samples.configMap("a", ["x": .string(String(repeating: "x", count: bytes - empty))]).bytes
            }
            let over = try await send(server, "POST", Samples.configMaps, "application/json", map(3 << 20 + 1))
            #expect(over.status == 413)
            let status = try JSONTree(parsing: over.body)
            #expect(status["reason"] == "RequestEntityTooLarge" && status["code"] == 413)
            #expect(server.object("configmaps", namespace: "shop", name: "a") == nil)
            // One that isn't too large as a body is still too large for the object.
            let whole = try await send(server, "POST", Samples.configMaps, "application/json", map(3 << 20))
            #expect(whole.status == 422, "\(String(decoding: whole.body.prefix(300), as: UTF8.self))")

            try await server.create(Samples.configMap("b", ["x": "1"]), namespace: "shop")
            func steps(_ count: Int) -> [UInt8] {
                JSONTree.array(Array(repeating: ["op": "test", "path": "/data/x", "value": "1"], count: count)).bytes
            }
            let path = "\(Samples.configMaps)/b"
            let many = try await send(server, "PATCH", path, "application/json-patch+json", steps(10_001))
            #expect(many.status == 413)
            let enough = try await send(server, "PATCH", path, "application/json-patch+json", steps(10_000))
            #expect(enough.status == 200)
        }
    }

    @Test(
        "what a body is must be said in words that the server knows",
        arguments: [
            ("POST", "", "text/html", #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}"#, 415),
            ("POST", "", "application/merge-patch+json", "{}", 415), ("PUT", "/a", "text/plain", "{}", 415),
            ("PATCH", "/a", "application/json", "{}", 415), ("PATCH", "/a", "", "{}", 415),
            ("PATCH", "/a", "application/merge-patch+json", "{}", 200),
            ("PATCH", "/a", "application/strategic-merge-patch+json", "{}", 200),
            ("DELETE", "/a", "text/plain", "{}", 415),
        ]
    )
    func mediaTypes(method: String, name: String, contentType: String, body: String, status: Int) async throws {
        try await FakeAPIServer.withShop { server in
            try await server.create(Samples.configMap("a"), namespace: "shop")
            let answer = try await send(server, method, Samples.configMaps + name, contentType, Array(body.utf8))
            #expect(answer.status == status, "\(String(decoding: answer.body, as: UTF8.self))")
            if status == 415 {
                let told = try JSONTree(parsing: answer.body)
                #expect(told["reason"] == "UnsupportedMediaType")
                #expect(told["message"]?.string?.contains("accepted media types include: application/") == true)
            }
        }
    }

    @Test("custom objects know no strategic merge")
    func strategic() async throws {
        try await FakeAPIServer.withWidgets(["type": "object"]) { server in
            try await server.create(Samples.widget("a", [:]), namespace: "shop")
            let type = "application/strategic-merge-patch+json"
            let answer = try await send(server, "PATCH", "\(Samples.widgets)/a", type, Array("{}".utf8))
            #expect(answer.status == 415)
        }
    }

    // MARK: Deletion in the foreground

    /// A ConfigMap that others own.
    private func owned(_ name: String, by owners: [JSONTree], isBlocking: Bool = true, isHeld: Bool = false) -> JSONTree
    {
        var object = Samples.configMap(name)
        object["metadata"]?["ownerReferences"] = .array(
            owners.map { owner in
                [
                    "apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]?["name"] ?? .null,
                    "uid": owner["metadata"]?["uid"] ?? .null, "blockOwnerDeletion": .bool(isBlocking),
                ]
            }
        )
        if isHeld { object["metadata"]?["finalizers"] = ["example.dev/hold"] }
        return object
    }

    private func finalizers(_ server: FakeAPIServer, _ name: String) -> [String]? {
        server.object("configmaps", namespace: "shop", name: name).map {
            $0["metadata"]?["finalizers"]?.array?.compactMap(\.string) ?? []
        }
    }

    @Test("an owner that goes in the foreground waits for those that block it, and for theirs")
    func foreground() async throws {
        try await FakeAPIServer.withShop { server in
            let owner = try await server.create(Samples.configMap("owner"), namespace: "shop")
            let child = try await server.create(owned("child", by: [owner]), namespace: "shop")
            try await server.create(owned("grandchild", by: [child], isHeld: true), namespace: "shop")
            try await server.create(owned("loose", by: [owner], isBlocking: false, isHeld: true), namespace: "shop")
            let begun = await server.send(
                "DELETE",
                "\(Samples.configMaps)/owner?propagationPolicy=Foreground"
            )
            #expect(begun.status == 200 && begun.body["metadata"]?["finalizers"] == ["foregroundDeletion"])
            #expect(begun.body["metadata"]?["deletionTimestamp"] != nil)
            try await server.waitUntil("the grandchild goes") { server in
                let metadata = server.object("configmaps", namespace: "shop", name: "grandchild")?["metadata"]
                return metadata?["deletionTimestamp"]
            }
            await server.settle()
            #expect(finalizers(server, "owner") == ["foregroundDeletion"])
            #expect(finalizers(server, "child") == ["foregroundDeletion"])
            let release: JSONTree = ["metadata": ["finalizers": []]]
            _ = await server.send("PATCH", "\(Samples.configMaps)/grandchild", release)
            try await server.waitUntil("all that blocks is gone") { server in
                self.finalizers(server, "owner") == nil ? true : nil
            }
            #expect(finalizers(server, "child") == nil && finalizers(server, "grandchild") == nil)
            // Nobody waited for this one.
            #expect(finalizers(server, "loose") == ["example.dev/hold"])
        }
    }

    @Test("what has another owner stays, and is no longer waited for", arguments: ["Foreground", "Background"])
    func sharedOwnership(policy: String) async throws {
        try await FakeAPIServer.withShop { server in
            let first = try await server.create(Samples.configMap("first"), namespace: "shop")
            let second = try await server.create(Samples.configMap("second"), namespace: "shop")
            try await server.create(owned("child", by: [first, second]), namespace: "shop")
            _ = await server.send("DELETE", "\(Samples.configMaps)/first?propagationPolicy=\(policy)")
            try await server.waitUntil("the first owner is gone and forgotten") { server in
                let references = server.object("configmaps", namespace: "shop", name: "child")?["metadata"]?[
                    "ownerReferences"
                ]
                let isGone = server.object("configmaps", namespace: "shop", name: "first") == nil
                return isGone && references?.array?.count == 1 && references?[0]?["name"] == "second" ? true : nil
            }
        }
    }

    @Test("what is owned by a deleted object goes only once no finalizer holds it", arguments: ["", "Background"])
    func background(policy: String) async throws {
        try await FakeAPIServer.withShop { server in
            let owner = try await server.create(Samples.configMap("owner"), namespace: "shop")
            try await server.create(owned("child", by: [owner], isHeld: true), namespace: "shop")
            let query = policy.isEmpty ? "" : "?propagationPolicy=\(policy)"
            #expect(await server.send("DELETE", "\(Samples.configMaps)/owner\(query)").body["status"] == "Success")
            #expect(finalizers(server, "owner") == nil, "the owner waits for nobody")
            try await server.waitUntil("the child goes") { server in
                server.object("configmaps", namespace: "shop", name: "child")?["metadata"]?["deletionTimestamp"]
            }
        }
    }
}
