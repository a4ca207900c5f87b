import Kubernetes
import TestSupport
import Testing

@Suite("reviews and events")
struct ReviewTests {
    @Test("a token is good only when the server says so for one of our audiences")
    func token() async throws {
        let user: JSONTree = [
            "username": "system:serviceaccount:shop:mongo", "uid": "u", "groups": ["g"],
            "extra": [
                "authentication.kubernetes.io/pod-name": ["mongo-0"], "authentication.kubernetes.io/pod-uid": ["p"],
                "authentication.kubernetes.io/node-name": ["n3"],
            ],
        ]
        let answers: [JSONTree] = [
            ["authenticated": true, "audiences": ["remora.dev"], "user": user],
            ["authenticated": true, "user": user], ["authenticated": true, "audiences": ["other"], "user": user],
            ["error": "expired"], ["authenticated": false],
        ]
        try await withAPI { _, number, connection in
            connection.json(201, ["status": answers[number]])
        } _: { server in
            let client = server.client()
            let good = try await client.reviewToken("secret", audiences: ["remora.dev"])
            #expect(good.isAuthenticated && good.user.serviceAccount == ObjectKey(namespace: "shop", name: "mongo"))
            #expect(good.user.podName == "mongo-0" && good.user.podUID == "p" && good.user.nodeName == "n3")
            for _ in 1..<5 {
                #expect(try await !client.reviewToken("secret", audiences: ["remora.dev"]).isAuthenticated)
            }
            #expect(server.lines.first == "POST /apis/authentication.k8s.io/v1/tokenreviews")
            let body = try JSONTree(parsing: server.seen[0].body)
            #expect(body["spec"] == ["token": "secret", "audiences": ["remora.dev"]] && body["kind"] == "TokenReview")
        }
    }

    @Test("access is what the server allows and doesn't deny")
    func access() async throws {
        let answers: [JSONTree] = [
            ["allowed": true], ["allowed": true, "denied": true], ["allowed": false, "reason": "r"],
        ]
        try await withAPI { _, number, connection in
            connection.json(201, ["status": answers[number]])
        } _: { server in
            let client = server.client()
            let question = AccessQuestion(verb: "get", .pods, subresource: "log", namespace: "shop", name: "a")
            let user = UserInfo(username: "eve", groups: ["g"], extra: ["k": ["v"]])
            #expect(try await client.reviewAccess(of: user, to: question).isAllowed)
            #expect(try await !client.reviewAccess(of: user, to: question).isAllowed)
            #expect(try await client.reviewOwnAccess(to: question).reason == "r")
            let spec = try JSONTree(parsing: server.seen[0].body)["spec"]
            #expect(spec?[path: "resourceAttributes", "subresource"] == "log" && spec?["extra"] == ["k": ["v"]])
            #expect(server.lines.last == "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        }
    }

    @Test("the same thing told again becomes a series, and a new event when that is gone")
    func series() async throws {
        let store = ToyStore()
        let time = QuickTime()
        try await withAPI { request, _, connection in
            store.answer(request, connection)
        } _: { server in
            let recorder = EventRecorder(server.client(time: time.source), controller: "remora.dev/c", instance: "c-0")
            let object = KubernetesObject(pod("a", "1"))
            func tell(_ note: String = "it failed") async throws {
                try await recorder.tell(note, about: object, kind: .warning, reason: "Failed", action: "Backup")
            }
            try await tell(String(repeating: "é", count: 1000))
            let path = try #require(store.paths.first)
            let event = try #require(store[path])
            #expect(path.hasPrefix("/apis/events.k8s.io/v1/namespaces/shop/events/a."))
            #expect(event["type"] == "Warning" && event["eventTime"] == "2026-08-22T10:00:00.250000Z")
            #expect(event[path: "regarding", "uid"] == "uid-a" && event["series"] == nil)
            #expect((event["note"]?.string?.utf8.count).map { (1020...1024).contains($0) } == true)
            for _ in 0..<5 { try await tell() }
            #expect(store[path]?[path: "series", "count"] == 2)
            time.advance(.seconds(61))
            try await tell()
            #expect(store[path]?[path: "series", "count"] == 7 && store.paths.count == 1)
            store[path] = nil
            time.advance(.seconds(61))
            try await tell()
            #expect(store.paths.count == 1 && store[store.paths[0]]?["series"] == nil)
        }
    }
}
