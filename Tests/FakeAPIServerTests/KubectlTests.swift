import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import Testing

@Suite("the fake API server: what kubectl needs")
struct KubectlTests {
    /// A field of a protobuf message that holds bytes.
    private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [number << 3 | 2, UInt8(bytes.count)] + bytes
    }

    private static func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

    private static func object(_ version: String, _ kind: String, _ message: [UInt8]) -> [UInt8] {
        [0x6B, 0x38, 0x73, 0x00] + field(1, field(1, version) + field(2, kind)) + field(2, message) + field(3, "")
            + field(4, "")
    }

    private func post(_ server: FakeAPIServer, _ target: String, _ body: [UInt8]) async throws -> (Int, JSONTree) {
        let response = try await HTTPClient().send(
            HTTPRequest(
                method: "POST",
                url: server.url + target,
                headers: [
                    ("Authorization", "Bearer \(server.adminToken)"),
                    ("Content-Type", "application/vnd.kubernetes.protobuf"),
                    ("Accept", "application/vnd.kubernetes.protobuf,application/json"),
                ],
                body: body
            )
        )
        return (response.status, try JSONTree(parsing: response.body))
    }

    @Test("questions about rights and requests of tokens may be protobuf")
    func protobuf() async throws {
        try await FakeAPIServer.withShop { server in
            let (version, reviews) = ("authorization.k8s.io/v1", "/apis/authorization.k8s.io/v1")
            let attributes =
                Self.field(1, "shop") + Self.field(2, "get") + Self.field(3, "") + Self.field(4, "*")
                + Self.field(5, "pods") + Self.field(6, "") + Self.field(7, "")
            let asked =
                Self.field(1, Self.field(1, "")) + Self.field(2, Self.field(1, attributes))
                + Self.field(3, [0x08, 0x00])
            let right = try await post(
                server,
                "\(reviews)/selfsubjectaccessreviews",
                Self.object(version, "SelfSubjectAccessReview", asked)
            )
            #expect(right.0 == 201 && right.1["status"]?["allowed"] == true)
            #expect(
                right.1["spec"]?["resourceAttributes"]
                    == ["namespace": "shop", "verb": "get", "version": "*", "resource": "pods"]
            )
            let rules = try await post(
                server,
                "\(reviews)/selfsubjectrulesreviews",
                Self.object(version, "SelfSubjectRulesReview", Self.field(2, Self.field(1, "shop")))
            )
            #expect(rules.0 == 201 && rules.1["status"] != nil)
            let token = try await post(
                server,
                "/api/v1/namespaces/shop/serviceaccounts/default/token",
                Self.object(
                    "authentication.k8s.io/v1",
                    "TokenRequest",
                    // 600 seconds.
                    Self.field(2, Self.field(1, "a.dev") + Self.field(1, "b.dev") + [4 << 3, 0xD8, 0x04])
                )
            )
            #expect(token.0 == 201 && token.1["status"]?["token"]?.string?.isEmpty == false)
            #expect(token.1["spec"] == ["audiences": ["a.dev", "b.dev"], "expirationSeconds": 600])
        }
    }

    @Test("simple objects may be protobuf")
    func protobufObjects() async throws {
        try await FakeAPIServer.withShop { server in
            func entry(_ key: String, _ value: String) -> [UInt8] { Self.field(1, key) + Self.field(2, value) }
            let metadata = Self.field(1, "a") + Self.field(11, entry("x", "1")) + Self.field(11, entry("y", "2"))
            let map = try await post(
                server,
                Samples.configMaps,
                Self.object(
                    "v1",
                    "ConfigMap",
                    Self.field(1, metadata) + Self.field(2, entry("k", "é")) + Self.field(2, entry("", ""))
                )
            )
            #expect(map.0 == 422, "an empty key is none")
            let good = try await post(
                server,
                Samples.configMaps,
                Self.object("v1", "ConfigMap", Self.field(1, metadata) + Self.field(2, entry("k", "é")))
            )
            #expect(good.0 == 201 && good.1["data"] == ["k": "é"])
            #expect(good.1["metadata"]?["labels"] == ["x": "1", "y": "2"])
            let secret = try await post(
                server,
                "/api/v1/namespaces/shop/secrets",
                Self.object(
                    "v1",
                    "Secret",
                    Self.field(1, Self.field(1, "s")) + Self.field(2, entry("k", "v")) + Self.field(3, "Opaque")
                )
            )
            #expect(secret.0 == 201 && secret.1["data"] == ["k": "dg=="] && secret.1["type"] == "Opaque")
            for (kind, path) in [
                ("Namespace", Samples.namespaces), ("ServiceAccount", "/api/v1/namespaces/shop/serviceaccounts"),
            ] {
                let made = try await post(server, path, Self.object("v1", kind, Self.field(1, Self.field(1, "made"))))
                #expect(made.0 == 201, "\(made.1)")
            }
        }
    }

    @Test("protobuf that is broken, or of a kind that isn't read, is refused")
    func brokenProtobuf() async throws {
        try await FakeAPIServer.withShop { server in
            let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
            let good = Self.object(
                "authorization.k8s.io/v1",
                "SelfSubjectRulesReview",
                Self.field(2, Self.field(1, "x"))
            )
            for count in [0, 3, 5, 20, good.count - 1] {
                #expect(try await post(server, path, Array(good.prefix(count))).0 == 400, "\(count) bytes")
            }
            let other = try await post(server, Samples.pods, Self.object("v1", "Pod", []))
            #expect(other.0 == 415)
        }
    }

    @Test("everybody may ask for health and version, and nobody unknown for more")
    func health() async throws {
        try await FakeAPIServer.withShop { server in
            for path in ["/healthz", "/livez", "/readyz", "/version"] {
                let anonymous = try await HTTPClient().send(HTTPRequest(url: server.url + path))
                #expect(anonymous.status == 200, "\(path)")
                #expect(try await server.http("GET", path).status == 200, "\(path)")
            }
            #expect(try await HTTPClient().send(HTTPRequest(url: server.url + "/apis")).status == 401)
        }
    }

    @Test(
        "times in tables are ages; one to come and nonsense are invalid, and none is nothing",
        arguments: [
            (0, "0s"), (100, "100s"), (150, "2m30s"), (700, "11m"), (11_000, "3h3m"), (100_000, "27h"),
            (200_000, "2d7h"), (864_000, "10d"), (-3600, "<invalid>"),
        ]
    )
    func ages(seconds: Int, text: String) async throws {
        var definition = Samples.definition(["type": "object"])
        var version = try #require(definition["spec"]?["versions"]?[0])
        version["additionalPrinterColumns"] = [
            ["name": "Last", "type": "date", "jsonPath": ".status.last"],
            ["name": "Never", "type": "date", "jsonPath": ".status.never"],
            ["name": "Nonsense", "type": "date", "jsonPath": ".status.nonsense"],
        ]
        definition["spec"]?["versions"] = [version]
        try await FakeAPIServer.withShop { server in
            try await server.create(definition)
            await server.settle()
            try await server.create(Samples.widget("a", [:]), namespace: "shop")
            let last = Date().addingTimeInterval(-Double(seconds)).formatted(.iso8601)
            try server.alter("widgets", group: "example.dev", namespace: "shop", name: "a") {
                $0["status"] = ["last": .string(last), "nonsense": "soon"]
            }
            let answer = try await server.http(
                "GET",
                Samples.widgets,
                headers: [("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")]
            )
            let cells = try JSONTree(parsing: answer.body)["rows"]?[0]?["cells"]?.array ?? []
            // The second in which it is asked may be the next one.
            #expect(cells.count == 4 && (cells[1].string == text || (seconds < 700 && cells[1].string?.last == "s")))
            #expect(cells.dropFirst(2) == [.null, "<invalid>"])
        }
    }
}
