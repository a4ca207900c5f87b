import HTTPClient
import Kubernetes
import Synchronization
import TestSupport

/// An API server that answers by a script, and remembers what it was asked.
final class ScriptedAPI: Sendable {
    private let requests = Mutex<[RawRequest]>([])
    private let server: RawServer

    /// Serves each request by `answer`, which gets its number from 0; false closes the connection.
    init(_ answer: @escaping @Sendable (RawRequest, Int, RawConnection) -> Bool) throws {
        server = try RawServer()
        server.start { [self] connection in
            while let request = connection.readRequest() {
                let number = requests.withLock { requests in
                    requests.append(request)
                    return requests.count - 1
                }
                guard answer(request, number, connection) else { return }
            }
        }
    }

    var url: String { server.url }
    /// All requests so far.
    var seen: [RawRequest] { requests.withLock { $0 } }
    /// Method and path of each.
    var lines: [String] { seen.map { "\($0.method) \($0.path)" } }

    func breakConnections() { server.breakConnections() }
    func stop() { server.stop() }

    func client(
        _ access: any AccessSource = FixedAccess(Access()),
        time: TimeSource = QuickTime().source,
        adjust: (inout ClientConfiguration) -> Void = { _ in }
    ) -> KubernetesClient {
        var configuration = ClientConfiguration(server: url, access: access)
        adjust(&configuration)
        return KubernetesClient(configuration, time: time)
    }
}

/// Runs `body` with a scripted server and stops it.
func withAPI<Value>(
    _ answer: @escaping @Sendable (RawRequest, Int, RawConnection) -> Bool,
    _ body: (ScriptedAPI) async throws -> Value
) async throws -> Value {
    let server = try ScriptedAPI(answer)
    defer { server.stop() }
    return try await body(server)
}

extension RawConnection {
    /// Answers with JSON.
    func json(_ status: Int, _ tree: JSONTree, _ fields: [String] = []) -> Bool {
        respond("\(status) X", ["Content-Type: application/json"] + fields, tree.description)
        return true
    }

    /// Answers with a failure as the API server words it.
    func fail(_ code: Int, _ reason: String, _ message: String = "no", _ fields: [String] = []) -> Bool {
        json(code, failure(code, reason, message), fields)
    }

    /// Begins an answer in chunks.
    func beginStream() {
        write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    func chunk(_ bytes: [UInt8]) {
        write(Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + [13, 10])
    }

    func event(_ type: String, _ object: JSONTree) {
        chunk(line(type, object))
    }

    /// Ends the answer as the server does when a watch's time is over.
    func endStream() -> Bool {
        write("0\r\n\r\n")
        return true
    }
}

func failure(_ code: Int, _ reason: String, _ message: String = "no") -> JSONTree {
    [
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": .integer(Int64(code)),
        "reason": .string(reason), "message": .string(message),
    ]
}

func line(_ type: String, _ object: JSONTree) -> [UInt8] {
    (["type": .string(type), "object": object] as JSONTree).bytes + [10]
}

func pod(_ name: String, _ version: String, text: String = "") -> JSONTree {
    [
        "apiVersion": "v1", "kind": "Pod",
        "metadata": [
            "name": .string(name), "namespace": "shop", "uid": .string("uid-\(name)"),
            "resourceVersion": .string(version), "managedFields": [["manager": "kubelet"]],
        ], "spec": ["text": .string(text)],
    ]
}

func bookmark(_ version: String) -> JSONTree {
    ["kind": "Pod", "apiVersion": "v1", "metadata": ["resourceVersion": .string(version)]]
}

func list(_ items: [JSONTree], _ version: String, next: String? = nil) -> JSONTree {
    var metadata: JSONTree = ["resourceVersion": .string(version)]
    if let next { metadata["continue"] = .string(next) }
    return ["kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": .array(items)]
}
