import FakeAPIServer
import HTTPClient
import Kubernetes
import Testing

@Suite("the fake API server: lists and watches")
struct ListWatchTests {
    private func fill(_ server: FakeAPIServer, _ count: Int) async throws {
        for index in 0..<count {
            var map = Samples.configMap("m\(index)")
            map["metadata"]?["labels"] = ["parity": index % 2 == 0 ? "even" : "odd", "number": .string("\(index)")]
            try await server.create(map, namespace: "shop")
        }
    }

    private func names(_ list: JSONTree) -> [String] {
        (list["items"]?.array ?? []).compactMap { $0["metadata"]?["name"]?.string }
    }

    @Test("a list comes in pages that agree with each other, until the history is cut")
    func pages() async throws {
        try await FakeAPIServer.withShop { server in
            try await fill(server, 4)
            let first = await server.send("GET", "\(Samples.configMaps)?limit=2").body
            let token = try #require(first["metadata"]?["continue"]?.string)
            #expect(first["metadata"]?["remainingItemCount"] == 3)
            try await server.create(Samples.configMap("m11"), namespace: "shop")
            let second = await server.send("GET", "\(Samples.configMaps)?limit=9&continue=\(token)").body
            #expect(names(first) + names(second) == ["kube-root-ca.crt", "m0", "m1", "m2", "m3"])
            #expect(second["metadata"]?["resourceVersion"] == first["metadata"]?["resourceVersion"])
            server.forgetHistory()
            let late = await server.send("GET", "\(Samples.configMaps)?limit=2&continue=\(token)")
            #expect(late.status == 410 && late.body["reason"] == "Expired")
            #expect(await server.send("GET", "\(Samples.configMaps)?continue=rubbish").status == 400)
        }
    }

    @Test(
        "labels and fields select",
        arguments: [
            ("labelSelector=parity%3Deven", ["m0", "m2"]), ("labelSelector=parity!%3Deven,number", ["m1", "m3"]),
            ("labelSelector=number+in+(1,2)", ["m1", "m2"]), ("labelSelector=number+notin+(1,2),parity", ["m0", "m3"]),
            ("labelSelector=!parity", ["kube-root-ca.crt"]), ("fieldSelector=metadata.name%3Dm1", ["m1"]),
            ("fieldSelector=metadata.name!%3Dm1,metadata.namespace%3Dshop&labelSelector=parity", ["m0", "m2", "m3"]),
        ]
    )
    func selectors(query: String, expected: [String]) async throws {
        try await FakeAPIServer.withShop { server in
            try await fill(server, 4)
            #expect(names(await server.send("GET", "\(Samples.configMaps)?\(query)").body) == expected)
        }
    }

    @Test(
        "selectors that the server doesn't know are refused",
        arguments: ["fieldSelector=data.x%3D1", "labelSelector=a+b", "labelSelector=-a%3D1"]
    )
    func badSelectors(query: String) async throws {
        try await FakeAPIServer.withShop { server in
            #expect(await server.send("GET", "\(Samples.configMaps)?\(query)").status == 400)
        }
    }

    @Test("a watch tells what happens behind its version, as its selector sees it")
    func events() async throws {
        try await FakeAPIServer.withShop { server in
            let list = await server.send("GET", Samples.configMaps).body
            let version = try #require(list["metadata"]?["resourceVersion"]?.string)
            try await fill(server, 2)
            _ = await server.send("PATCH", "\(Samples.configMaps)/m0", ["data": ["x": "1"]])
            _ = await server.send("PATCH", "\(Samples.configMaps)/m0", ["metadata": ["labels": ["parity": "none"]]])
            _ = await server.send("DELETE", "\(Samples.configMaps)/m1")
            let lines = try await server.lines(
                "\(Samples.configMaps)?watch=1&resourceVersion=\(version)&labelSelector=parity%3Deven",
                3
            )
            #expect(lines.map { $0["type"] } == ["ADDED", "MODIFIED", "DELETED"])
            #expect(lines[2]["object"]?["metadata"]?["labels"]?["parity"] == "even")
            let all = try await server.lines("\(Samples.configMaps)?watch=1&resourceVersion=\(version)", 5)
            #expect(all.map { $0["type"] } == ["ADDED", "ADDED", "MODIFIED", "MODIFIED", "DELETED"])
        }
    }

    @Test("a watch behind the history is told so, before it begins or while it runs")
    func expired() async throws {
        try await FakeAPIServer.withShop { server in
            let old = try #require(
                await server.send("GET", Samples.configMaps).body["metadata"]?["resourceVersion"]?.string
            )
            try await fill(server, 1)
            server.forgetHistory()
            let response = try await server.http("GET", "\(Samples.configMaps)?watch=1&resourceVersion=\(old)")
            #expect(response.status == 410)
            #expect(try JSONTree(parsing: response.body)["reason"] == "Expired")
            server.misbehave(.expiredEvent, verb: "watch")
            let now = try #require(
                await server.send("GET", Samples.configMaps).body["metadata"]?["resourceVersion"]?.string
            )
            let lines = try await server.lines("\(Samples.configMaps)?watch=1&resourceVersion=\(now)", 1)
            #expect(lines[0]["type"] == "ERROR" && lines[0]["object"]?["code"] == 410)
            let future = try await server.http("GET", "\(Samples.configMaps)?watch=1&resourceVersion=\(now)000")
            #expect(future.status == 504)
        }
    }

    @Test("bookmarks come when asked for, and end the initial events")
    func bookmarks() async throws {
        var options = FakeAPIServerOptions()
        options.bookmarkInterval = .milliseconds(20)
        try await FakeAPIServer.withShop(options) { server in
            let query = "watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
            let lines = try await server.lines("\(Samples.configMaps)?\(query)", 3)
            #expect(lines.map { $0["type"] } == ["ADDED", "BOOKMARK", "BOOKMARK"])
            #expect(lines[1]["object"]?["metadata"]?["annotations"] == ["k8s.io/initial-events-end": "true"])
            #expect(lines[2]["object"]?["kind"] == "ConfigMap" && lines[2]["object"]?["data"] == nil)
            let short = try await server.lines("\(Samples.configMaps)?watch=1&timeoutSeconds=1&resourceVersion=0", 9)
            #expect(short.map { $0["type"] } == ["ADDED"])
            let refused = try await server.http("GET", "\(Samples.configMaps)?watch=1&sendInitialEvents=true")
            #expect(refused.status == 422)
        }
    }

    @Test("metadata alone, tables, and what can't be served")
    func shapes() async throws {
        try await FakeAPIServer.withShop { server in
            func get(_ accept: String) async throws -> HTTPResponse {
                try await server.http("GET", Samples.configMaps, headers: [("Accept", accept)])
            }
            let partial = try JSONTree(
                parsing: try await get("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").body
            )
            #expect(
                partial["kind"] == "PartialObjectMetadataList"
                    && partial["items"]?[0]?["kind"] == "PartialObjectMetadata"
            )
            #expect(partial["items"]?[0]?["data"] == nil)
            let table = try JSONTree(
                parsing: try await get("application/json;as=Table;v=v1;g=meta.k8s.io,application/json").body
            )
            #expect(table["kind"] == "Table" && table["rows"]?[0]?["cells"]?[0] == "kube-root-ca.crt")
            #expect(try await get("application/vnd.kubernetes.protobuf").status == 406)
        }
    }

    @Test("open watches are counted, and end when the client goes")
    func counting() async throws {
        try await FakeAPIServer.withShop { server in
            let client = HTTPClient(HTTPClientConfiguration(caFile: nil))
            let request = HTTPRequest(
                url: "\(server.url)\(Samples.pods)?watch=1",
                headers: [("Authorization", "Bearer \(server.adminToken)")]
            )
            let watching = Task { try await client.stream(request).body.collect(upTo: 1 << 20) }
            try await server.waitForWatches(Samples.pods, count: 1)
            watching.cancel()
            try await server.waitForWatches(Samples.pods, count: 0)
        }
    }
}
