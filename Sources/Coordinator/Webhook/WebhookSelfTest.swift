import HTTPClient
import Injector
import Kubernetes

/// A question that the coordinator asks itself through TLS before it says that it is ready.
struct WebhookSelfTest: Sendable {
    let address: ListenAddress
    /// The name that the API server verifies.
    let name: String
    /// What it will trust.
    let bundle: String

    /// Asks.
    ///
    /// - Throws: ``CertificateError`` with the reason why the API server would have no answer.
    func run() async throws {
        let host = ["0.0.0.0": "127.0.0.1", "::": "[::1]"][address.host] ?? address.host
        let authority = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        let client = HTTPClient(
            HTTPClientConfiguration(trust: .pem(Array(bundle.utf8)), serverName: name, userAgent: "remora-self-test")
        )
        let response: HTTPResponse
        do {
            response = try await client.send(
                HTTPRequest(
                    method: "POST",
                    url: "https://\(authority):\(address.port)\(WebhookAPI.path)",
                    headers: [("Content-Type", "application/json")],
                    body: Self.question.bytes,
                    timeout: .seconds(5)
                )
            )
        } catch {
            throw CertificateError("the webhook doesn't answer at \(address) as \(name): \(error)")
        }
        let answer: JSONTree
        do {
            answer = try JSONTree(parsing: response.body)
        } catch {
            throw CertificateError("the webhook answers its own question with \(response.status) and no JSON")
        }
        guard response.status == 200, answer[path: "response", "uid"] == "self-test",
            answer[path: "response", "allowed"] == true
        else { throw CertificateError("the webhook answers its own question with \(response.status): \(answer)") }
    }

    /// A pod that doesn't ask for an agent: nothing of it shows anywhere.
    private static let question: JSONTree = [
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": [
            "uid": "self-test", "operation": "CREATE", "namespace": "remora-self-test",
            "kind": ["group": "", "version": "v1", "kind": "Pod"],
            "object": [
                "metadata": ["name": "self-test"], "spec": ["containers": [["name": "none", "image": "none"]]],
            ],
        ],
    ]
}
