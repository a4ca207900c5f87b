import Kubernetes
import Synchronization
import TestSupport
import Testing

@Suite("Kubernetes client: calls")
struct CallTests {
    @Test("an object is read from its path, with who we are and what we accept")
    func get() async throws {
        try await withAPI { _, _, connection in
            connection.json(200, pod("mongo-0", "7"))
        } _: { server in
            let client = server.client(FixedAccess(Access(authorization: "Bearer t"))) { $0.userAgent = "remora-x/1" }
            let object = try await client.get(.pods, name: "mongo-0", namespace: "shop")
            #expect(object.resourceVersion == "7")
            _ = try await client.get(.nodes, name: "a:B", isMetadataOnly: true)
            #expect(server.lines == ["GET /api/v1/namespaces/shop/pods/mongo-0", "GET /api/v1/nodes/a%3AB"])
            #expect(server.seen.first?.field("authorization") == "Bearer t")
            #expect(server.seen.first?.field("user-agent") == "remora-x/1")
            #expect(server.seen.last?.field("accept")?.contains("as=PartialObjectMetadata;") == true)
        }
    }

    @Test(
        "a name that no object can have never gets into a URL",
        arguments: ["", ".", "..", "a/b", "a%2fb", "a b", "a\n", "é", String(repeating: "x", count: 254)]
    )
    func names(_ name: String) async throws {
        try await withAPI { _, _, connection in
            connection.json(200, [:])
        } _: { server in
            let error = await #expect(throws: KubernetesError.self) {
                _ = try await server.client().get(.pods, name: name, namespace: "shop")
            }
            #expect(error?.code == .configuration)
            let other = await #expect(throws: KubernetesError.self) {
                _ = try await server.client().get(.pods, name: "x", namespace: "Not/\(name)")
            }
            #expect(other?.code == .configuration)
            #expect(server.seen.isEmpty)
        }
    }

    @Test(
        "the server's reasons become codes",
        arguments: [
            (404, "NotFound", KubernetesError.Code.notFound), (409, "AlreadyExists", .alreadyExists),
            (409, "Conflict", .conflict), (410, "Expired", .expired), (410, "Gone", .expired),
            (403, "Forbidden", .forbidden), (422, "Invalid", .invalid), (400, "BadRequest", .refused),
            (418, "", .refused),
        ]
    )
    func reasons(status: Int, reason: String, code: KubernetesError.Code) async throws {
        try await withAPI { _, _, connection in
            var told = failure(status, reason, "it\nis so")
            told["details"] = ["causes": [["field": "spec.x", "reason": "FieldValueRequired", "message": "set x"]]]
            return connection.json(status, told)
        } _: { server in
            let error = await #expect(throws: KubernetesError.self) {
                _ = try await server.client().get(.pods, name: "a", namespace: "shop")
            }
            #expect(error?.code == code && error?.isTransient == false)
            #expect(error?.message == "cannot get Pod shop/a: it is so")
            #expect(error?.status?.causes.first?.field == "spec.x")
            #expect(server.seen.count == 1)
        }
    }

    @Test("a kind that isn't installed is told apart from an object that isn't there")
    func unknownKind() async throws {
        try await withAPI { _, _, connection in
            connection.respond("404 Not Found", ["Content-Type: text/plain"], "404 page not found\n")
            return true
        } _: { server in
            let error = await #expect(throws: KubernetesError.self) {
                _ = try await server.client().get(.leases, name: "a", namespace: "shop")
            }
            #expect(error?.code == .unknownResource && error?.isNotFound == false)
            #expect(error?.message.contains("CustomResourceDefinition") == true)
        }
    }

    @Test("too many requests are tried again after what Retry-After says, also when the answer is plain text")
    func tooMany() async throws {
        let time = QuickTime(chance: 0.5)
        try await withAPI { _, number, connection in
            switch number {
            case 0: return connection.fail(429, "TooManyRequests", "slow", ["Retry-After: 7"])
            case 1:
                connection.respond("429 Too Many", ["Retry-After: 3"], "Too many requests, please try again later.")
                return true
            case 2: return connection.fail(503, "ServiceUnavailable")
            default: return connection.json(200, pod("a", "1"))
            }
        } _: { server in
            let told = Mutex<[String]>([])
            let client = server.client(time: time.source) { $0.onRetry = { text in told.withLock { $0.append(text) } } }
            _ = try await client.create(KubernetesObject(.pods, name: "a", namespace: "shop"), as: .pods)
            #expect(time.pauses == [.seconds(7), .seconds(3), .seconds(2)])
            #expect(
                told.withLock { $0 }.first?.hasPrefix("try 2 of 6 follows in 7.0 seconds: cannot create Pod shop/a")
                    == true
            )
        }
    }

    @Test("what isn't JSON is somebody else talking, and is tried again")
    func proxy() async throws {
        try await withAPI { _, number, connection in
            if number == 0 {
                connection.respond("502 Bad Gateway", [], "<html>secret</html>")
                return true
            }
            if number == 1 {
                connection.respond("200 OK", [], "<html>log in</html>")
                return true
            }
            return connection.json(200, pod("a", "1"))
        } _: { server in
            let found = try await server.client().get(.pods, name: "a", namespace: "shop")
            #expect(found.name == "a" && server.seen.count == 3)
        }
        try await withAPI { _, _, connection in
            connection.respond("403 Forbidden", [], "<html>secret</html>")
            return true
        } _: { server in
            let client = server.client { $0.retry = .never }
            let error = await #expect(throws: KubernetesError.self) {
                _ = try await client.get(.pods, name: "a", namespace: "shop")
            }
            #expect(error?.code == .notKubernetes)
            #expect(error?.message.contains("proxy") == true && error?.message.contains("secret") == false)
        }
    }

    @Test("a write that may have been carried out is not repeated unless that does no harm")
    func onlyOnce() async throws {
        try await withAPI { _, _, _ in
            false
        } _: { server in
            let error = await #expect(throws: KubernetesError.self) {
                try await server.client().patch(.merge([:]), of: .pods, name: "a", namespace: "shop")
            }
            #expect(error?.code == .unreachable)
            #expect(error?.message.hasPrefix("cannot patch Pod shop/a: PATCH \(server.url)/api/v1/") == true)
            #expect(server.seen.count == 1)
        }
    }

    @Test("a create whose answer was lost succeeds when the object is there as it was to be, and fails for another's")
    func lostCreate() async throws {
        for isOurs in [true, false] {
            try await withAPI { request, number, connection in
                switch (number, request.method) {
                case (0, _): return false
                case (_, "POST"): return connection.fail(409, "AlreadyExists")
                default:
                    var present = pod("a", "1")
                    present["data"] = ["x": isOurs ? "1" : "2"]
                    return connection.json(200, present)
                }
            } _: { server in
                var object = KubernetesObject(.pods, name: "a", namespace: "shop")
                object["data"] = ["x": "1"]
                do throws(KubernetesError) {
                    let made = try await server.client().create(object, as: .pods)
                    #expect(isOurs && made.resourceVersion == "1")
                } catch {
                    #expect(!isOurs && error.isAlreadyExists)
                }
            }
        }
    }

    @Test("a delete of one identity whose answer was lost succeeds when it is gone")
    func lostDelete() async throws {
        try await withAPI { _, number, connection in
            number == 0 ? false : connection.fail(404, "NotFound")
        } _: { server in
            let client = server.client()
            try await client.delete(.pods, name: "a", namespace: "shop", options: DeleteOptions(uid: "u"))
            let body = try JSONTree(parsing: server.seen.last?.body ?? [])
            #expect(body["preconditions"] == ["uid": "u"])
            let error = await #expect(throws: KubernetesError.self) {
                try await client.delete(.pods, name: "a", namespace: "shop", options: DeleteOptions(uid: "u"))
            }
            #expect(error?.isNotFound == true)
        }
    }

    @Test("each kind of write has its method, path and content type")
    func writes() async throws {
        try await withAPI { _, _, connection in
            connection.json(200, pod("a", "2"))
        } _: { server in
            let client = server.client()
            var object = KubernetesObject(pod("a", "1"))
            try await client.update(object, of: .pods, subresource: "status")
            try await client.patch(.json([.add("/metadata/labels/a~1b", "c")]), of: .pods, name: "a", namespace: "shop")
            try await client.apply(object, of: .pods, fieldManager: "remora", subresource: "status")
            try await client.delete(.namespaces, name: "old", options: DeleteOptions(propagation: .foreground))
            #expect(
                server.lines == [
                    "PUT /api/v1/namespaces/shop/pods/a/status", "PATCH /api/v1/namespaces/shop/pods/a",
                    "PATCH /api/v1/namespaces/shop/pods/a/status?fieldManager=remora&force=true",
                    "DELETE /api/v1/namespaces/old",
                ]
            )
            let types = server.seen.map { $0.field("content-type") ?? "" }
            #expect(types[1...2] == ["application/json-patch+json", "application/apply-patch+yaml"])
            #expect(try JSONTree(parsing: server.seen[2].body)[path: "metadata", "managedFields"] == nil)
            object.resourceVersion = ""
            let blind = object
            let error = await #expect(throws: KubernetesError.self) { try await client.update(blind, of: .pods) }
            #expect(error?.message.contains("resourceVersion") == true)
        }
    }

    @Test("a list is read page by page, and all at once when its pages have expired")
    func pages() async throws {
        try await withAPI { request, number, connection in
            switch number {
            case 0: connection.json(200, list([pod("a", "1")], "10", next: "tok en"))
            case 1: connection.fail(410, "Expired")
            default: connection.json(200, list([pod("a", "1"), ["metadata": ["name": "b"]]], "12"))
            }
        } _: { server in
            let found = try await server.client().list(.pods, options: ListOptions(labelSelector: "a=b,c"))
            #expect(found.items.map(\.name) == ["a", "b"] && found.resourceVersion == "12")
            #expect(found.items.last?.kind == "Pod" && found.items.last?.apiVersion == "v1")
            #expect(
                server.lines == [
                    "GET /api/v1/pods?labelSelector=a%3Db%2Cc&limit=500",
                    "GET /api/v1/pods?labelSelector=a%3Db%2Cc&limit=500&continue=tok%20en",
                    "GET /api/v1/pods?labelSelector=a%3Db%2Cc",
                ]
            )
        }
    }

    @Test("calls wait for their turn once the burst is used up")
    func rate() async throws {
        let time = QuickTime()
        try await withAPI { _, _, connection in
            connection.json(200, pod("a", "1"))
        } _: { server in
            let client = server.client(time: time.source) {
                $0.burst = 2
                $0.callsPerSecond = 4
            }
            for _ in 0..<4 { _ = try await client.get(.pods, name: "a", namespace: "shop") }
            #expect(time.pauses == [.milliseconds(250), .milliseconds(250)])
        }
    }

    @Test("a cancelled call says so")
    func cancelled() async throws {
        try await withAPI { _, _, connection in
            connection.waitForEnd()
            return false
        } _: { server in
            let client = server.client()
            let task = Task { try await client.get(.pods, name: "a", namespace: "shop") }
            try await eventually("the call is there") { !server.seen.isEmpty }
            task.cancel()
            let error = await #expect(throws: KubernetesError.self) { _ = try await task.value }
            #expect(error?.isCancelled == true)
        }
    }
}
