import FakeAPIServer
import HTTPClient
import Kubernetes
import Testing

/// A namespace to work in, and what tests send again and again.
enum Samples {
    static let namespaces = "/api/v1/namespaces"
    static let pods = "/api/v1/namespaces/shop/pods"
    static let configMaps = "/api/v1/namespaces/shop/configmaps"
    static let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    static func namespace(_ name: String = "shop", labels: [String: JSONTree] = [:]) -> JSONTree {
        var object: JSONTree = ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]]
        if !labels.isEmpty { object["metadata"]?["labels"] = .object(labels) }
        return object
    }

    static func configMap(_ name: String, _ data: [String: JSONTree] = [:]) -> JSONTree {
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name)], "data": .object(data)]
    }

    static func pod(_ name: String = "mongo-0", _ change: (inout JSONTree) -> Void = { _ in }) -> JSONTree {
        var pod: JSONTree = [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name)],
            "spec": ["containers": [["name": "mongod", "image": "mongo:7"]]],
        ]
        change(&pod)
        return pod
    }

    /// A CRD of the kind Widget with the schema of its `spec`.
    static func definition(_ spec: JSONTree, hasStatus: Bool = true) -> JSONTree {
        [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": "widgets.example.dev"],
            "spec": [
                "group": "example.dev", "scope": "Namespaced", "names": ["plural": "widgets", "kind": "Widget"],
                "versions": [
                    [
                        "name": "v1", "served": true, "storage": true,
                        "subresources": hasStatus ? ["status": [:]] : [:],
                        "schema": [
                            "openAPIV3Schema": [
                                "type": "object",
                                "properties": [
                                    "spec": spec,
                                    "status": ["type": "object", "x-kubernetes-preserve-unknown-fields": true],
                                ],
                            ]
                        ],
                    ]
                ],
            ],
        ]
    }

    static func widget(_ name: String, _ spec: JSONTree) -> JSONTree {
        ["apiVersion": "example.dev/v1", "kind": "Widget", "metadata": ["name": .string(name)], "spec": spec]
    }

    static let widgets = "/apis/example.dev/v1/namespaces/shop/widgets"
}

extension FakeAPIServer {
    /// Runs `body` with a server that has the namespace `shop`.
    static func withShop(
        _ options: FakeAPIServerOptions = FakeAPIServerOptions(),
        _ body: (FakeAPIServer) async throws -> Void
    ) async throws {
        var options = options
        options.usesTLS = false
        try await run(options) { server in
            try await server.create(Samples.namespace())
            try await body(server)
        }
    }

    /// The same with a CRD of Widgets whose `spec` has this schema.
    static func withWidgets(_ spec: JSONTree, _ body: (FakeAPIServer) async throws -> Void) async throws {
        try await withShop { server in
            try await server.create(Samples.definition(spec))
            await server.settle()
            try await body(server)
        }
    }

    /// Sends a request over HTTP as the administrator.
    func http(
        _ method: String = "GET",
        _ target: String,
        _ body: JSONTree? = nil,
        token: String? = nil,
        headers: [(String, String)] = []
    ) async throws -> HTTPResponse {
        let client = HTTPClient(
            HTTPClientConfiguration(caFile: nil, caPEM: authority.isEmpty ? nil : Array(authority.utf8))
        )
        return try await client.send(
            HTTPRequest(
                method: method,
                url: url + target,
                headers: [("Authorization", "Bearer \(token ?? adminToken)"), ("Content-Type", "application/json")]
                    + headers,
                body: body?.bytes ?? []
            )
        )
    }

    /// Reads a watch's lines until so many are there.
    func lines(_ target: String, _ count: Int) async throws -> [JSONTree] {
        let client = HTTPClient(
            HTTPClientConfiguration(caFile: nil, caPEM: authority.isEmpty ? nil : Array(authority.utf8))
        )
        let response = try await client.stream(
            HTTPRequest(url: url + target, headers: [("Authorization", "Bearer \(adminToken)")])
        )
        var rest: [UInt8] = []
        var lines: [JSONTree] = []
        guard response.status == 200 else { return [.integer(Int64(response.status))] }
        for try await chunk in response.body {
            rest += chunk
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(try JSONTree(parsing: Array(rest[..<end])))
                rest.removeSubrange(...end)
            }
            if lines.count >= count { break }
        }
        return lines
    }
}

/// The texts of an answer's causes: field and message.
func causes(_ answer: FakeAPIServer.Answer) -> [String] {
    (answer.body["details"]?["causes"]?.array ?? []).map {
        "\($0["field"]?.string ?? "") \($0["message"]?.string ?? "")"
    }
}
