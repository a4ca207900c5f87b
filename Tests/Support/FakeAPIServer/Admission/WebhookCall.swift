import Foundation
import Kubernetes

/// What a webhook answered, as far as it counts.
struct WebhookResponse: Sendable {
    var isAllowed: Bool
    var status: JSONTree?
    var patch: [UInt8]?
    var warnings: [String] = []
    var auditAnnotations: [String: String] = [:]

    static func denial(_ webhook: String, _ response: WebhookResponse) -> APIError {
        let message = response.status?["message"]?.string ?? response.status?["reason"]?.string ?? ""
        let code = Int(response.status?["code"]?.integer ?? 0)
        let text =
            "admission webhook \"\(webhook)\" denied the request"
            + (message.isEmpty ? " without explanation" : ": \(message)")
        // A refusal without a code of its own is one for a bad request, and has no reason.
        return APIError(code: max(code, 400), reason: response.status?["reason"]?.string ?? "", message: text)
    }
}

/// One review sent to one webhook.
struct WebhookCall: Sendable {
    let hook: JSONTree
    let admission: Admission

    func send(_ object: JSONTree?) async throws(WebhookFailure) -> WebhookResponse {
        let uid = UUID().uuidString.lowercased()
        let versions = hook["admissionReviewVersions"]?.array?.compactMap(\.string) ?? []
        guard let version = versions.first(where: { $0 == "v1" }) else {
            throw WebhookFailure("webhook does not accept known AdmissionReview versions (v1)")
        }
        let review: JSONTree = [
            "apiVersion": .string("admission.k8s.io/\(version)"), "kind": "AdmissionReview",
            "request": admission.requestTree(object, uid: uid),
        ]
        let seconds = Int(hook["timeoutSeconds"]?.integer ?? 10)
        let target = try target(seconds)
        let started = ContinuousClock().now
        let (status, body) = try await WebhookConnection.post(review.bytes, to: target, timeout: .seconds(seconds))
        admission.core.log.note(
            .webhook(name: hook["name"]?.string ?? "", url: target.shown, duration: ContinuousClock().now - started)
        )
        guard status == 200 else { throw WebhookFailure("the server answered \(status)") }
        return try Self.read(body, uid: uid, version: version)
    }

    private func target(_ seconds: Int) throws(WebhookFailure) -> WebhookTarget {
        let client = hook["clientConfig"] ?? [:]
        let authority = client["caBundle"]?.string.flatMap { Data(base64Encoded: $0) }.map { [UInt8]($0) }
        if let url = client["url"]?.string {
            guard let parts = URLComponents(string: url), let host = parts.host else {
                throw WebhookFailure("\(url) is no URL")
            }
            var path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
            path += "?timeout=\(seconds)s"
            return WebhookTarget(
                address: host,
                port: parts.port ?? 443,
                serverName: host,
                path: path,
                authority: authority
            )
        }
        let service = client["service"] ?? [:]
        let (namespace, name) = (service["namespace"]?.string ?? "", service["name"]?.string ?? "")
        let port = Int(service["port"]?.integer ?? 443)
        guard let place = admission.core.services.place(namespace: namespace, name: name, port: port) else {
            throw WebhookFailure(
                "Post \"https://\(name).\(namespace).svc:\(port)\": no endpoints available for service \"\(name)\""
            )
        }
        let path = service["path"]?.string ?? "/"
        return WebhookTarget(
            address: place.address,
            port: place.port,
            serverName: "\(name).\(namespace).svc",
            path: "\(path)?timeout=\(seconds)s",
            authority: authority
        )
    }

    /// The answer, strictly: the same uid, version and kind, and patch and its type both or neither.
    static func read(_ body: [UInt8], uid: String, version: String) throws(WebhookFailure) -> WebhookResponse {
        let tree: JSONTree
        do {
            tree = try JSONTree(parsing: body)
        } catch {
            throw WebhookFailure("couldn't get version/kind; json parse error: \(error)")
        }
        guard tree["kind"]?.string == "AdmissionReview", tree["apiVersion"]?.string == "admission.k8s.io/\(version)"
        else {
            throw WebhookFailure(
                "expected webhook response of admission.k8s.io/\(version), Kind=AdmissionReview, got \(tree["apiVersion"]?.string ?? ""), Kind=\(tree["kind"]?.string ?? "")"
            )
        }
        guard let response = tree["response"], response.object != nil else {
            throw WebhookFailure("webhook response was absent")
        }
        guard response["uid"]?.string == uid else {
            throw WebhookFailure("expected response.uid=\"\(uid)\", got \"\(response["uid"]?.string ?? "")\"")
        }
        guard let isAllowed = response["allowed"]?.bool ?? (response["allowed"] == nil ? false : nil) else {
            throw WebhookFailure("json: cannot unmarshal response.allowed into a bool")
        }
        let patch = response["patch"].flatMap { $0.isNull ? nil : $0 }
        let patchType = response["patchType"].flatMap { $0.isNull ? nil : $0 }
        var bytes: [UInt8]?
        if let patch {
            guard let data = patch.string.flatMap({ Data(base64Encoded: $0) }) else {
                throw WebhookFailure("illegal base64 data in response.patch")
            }
            bytes = [UInt8](data)
            guard !data.isEmpty else { throw WebhookFailure("webhook returned response.patch but it is empty") }
            guard patchType != nil else {
                throw WebhookFailure("webhook returned response.patch but not response.patchType")
            }
        } else if patchType != nil {
            throw WebhookFailure("webhook returned response.patchType but not response.patch")
        }
        if let patchType, patchType.string != "JSONPatch" {
            throw WebhookFailure("webhook returned invalid response.patchType of \(patchType.description)")
        }
        let warnings = response["warnings"]?.array?.compactMap(\.string) ?? []
        return WebhookResponse(
            isAllowed: isAllowed,
            status: response["status"],
            patch: bytes,
            warnings: warnings,
            auditAnnotations: response["auditAnnotations"]?.strings ?? [:]
        )
    }
}

/// Where a webhook listens, and by what name its certificate must know it.
struct WebhookTarget: Sendable {
    var address: String
    var port: Int
    var serverName: String
    var path: String
    var authority: [UInt8]?
    var shown: String { "https://\(serverName)\(path)" }
}
