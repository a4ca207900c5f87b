import HTTPClient

/// Reads what a server answered.
enum Answer {
    /// The tree of an answer, or what went wrong.
    ///
    /// - Parameters:
    ///   - status: the HTTP status.
    ///   - headers: the header fields.
    ///   - body: the whole body.
    ///   - summary: what was attempted, like `get pod shop/mongo-0`.
    ///   - host: who answered.
    /// - Returns: the body's tree.
    /// - Throws: what the answer means when it isn't success.
    static func judge(
        status: Int,
        headers: HTTPHeaders,
        body: [UInt8],
        summary: String,
        host: String
    ) throws(KubernetesError) -> JSONTree {
        let isGood = (200..<300).contains(status)
        let tree: JSONTree
        do {
            tree = try JSONTree(parsing: body)
        } catch {
            throw notJSON(status, headers, body, summary, host, error)
        }
        if isGood { return tree }
        guard let told = APIStatus(tree) else {
            throw strange(status, headers, summary, host, "JSON that isn't a Status")
        }
        throw error(told, status: status, headers: headers, summary: summary)
    }

    /// What a `Status` means, in an answer or in a watch's ERROR event.
    static func error(_ told: APIStatus, status: Int, headers: HTTPHeaders?, summary: String) -> KubernetesError {
        let code = self.code(told, status)
        let isTransient = [.tooManyRequests, .unavailable, .timedOut].contains(code)
        // Admission webhooks and validation write several lines; a log wants one.
        var reason = told.message.split(whereSeparator: \.isNewline).joined(separator: " ")
        if reason.isEmpty { reason = told.reason.isEmpty ? "the server answered \(status)" : told.reason }
        return KubernetesError(
            code,
            "cannot \(summary): \(reason)\(hint(code))",
            status: told,
            isTransient: isTransient,
            retryAfter: headers.flatMap(retryAfter) ?? told.retryAfterSeconds.map { .seconds(max(0, $0)) }
        )
    }

    private static func code(_ told: APIStatus, _ status: Int) -> KubernetesError.Code {
        switch told.reason {
        case "NotFound":
            // Said of a kind, not of an object.
            return told.message.hasPrefix("the server could not find the requested resource")
                ? .unknownResource : .notFound
        case "AlreadyExists": return .alreadyExists
        case "Conflict": return .conflict
        case "Expired", "Gone": return .expired
        case "Forbidden": return .forbidden
        case "Unauthorized": return .unauthorized
        case "Invalid": return .invalid
        case "TooManyRequests": return .tooManyRequests
        case "Timeout": return .timedOut
        case "ServerTimeout", "ServiceUnavailable", "InternalError", "StorageReadError": return .unavailable
        default: return code(status)
        }
    }

    private static func code(_ status: Int) -> KubernetesError.Code {
        switch status {
        case 401: .unauthorized
        case 403: .forbidden
        case 404: .notFound
        case 409: .conflict
        case 410: .expired
        case 422: .invalid
        case 429: .tooManyRequests
        case 504: .timedOut
        case 500...: .unavailable
        default: .refused
        }
    }

    private static func hint(_ code: KubernetesError.Code) -> String {
        switch code {
        case .unauthorized: "; check the token or certificate, it may have expired"
        case .unknownResource: "; is its definition (CustomResourceDefinition) installed?"
        default: ""
        }
    }

    private static func notJSON(
        _ status: Int,
        _ headers: HTTPHeaders,
        _ body: [UInt8],
        _ summary: String,
        _ host: String,
        _ error: JSONError
    ) -> KubernetesError {
        let text = String(decoding: body.prefix(64), as: UTF8.self)
        switch status {
        case 404 where text.hasPrefix("404 page not found"):
            // The API server's own words for a group or version that it doesn't serve.
            return KubernetesError(
                .unknownResource,
                "cannot \(summary): the server doesn't know this kind\(hint(.unknownResource))"
            )
        case 429:
            // The API server's limit of calls at once speaks plain text, too.
            return KubernetesError(
                .tooManyRequests,
                "cannot \(summary): the server has too much to do",
                isTransient: true,
                retryAfter: retryAfter(headers)
            )
        default: return strange(status, headers, summary, host, "\(error)")
        }
    }

    /// An answer that the API server doesn't give: somebody in between does, and may stop doing so.
    private static func strange(
        _ status: Int,
        _ headers: HTTPHeaders,
        _ summary: String,
        _ host: String,
        _ reason: String
    ) -> KubernetesError {
        KubernetesError(
            .notKubernetes,
            "cannot \(summary): \(host) answered \(status) with what isn't the API server's (\(reason)); check the address, and whether a proxy or load balancer answers in its place",
            isTransient: true,
            retryAfter: retryAfter(headers)
        )
    }

    /// `Retry-After` in seconds; a date isn't heeded, since the API server sends none.
    private static func retryAfter(_ headers: HTTPHeaders) -> Duration? {
        headers["retry-after"].flatMap { Int($0) }.map { .seconds(max(0, min($0, 86400))) }
    }

    /// What a failed exchange means.
    static func error(_ failure: HTTPClientError, summary: String) -> KubernetesError {
        let code: KubernetesError.Code =
            switch failure.code {
            case .cancelled: .cancelled
            case .timedOut: .timedOut
            case .tls: .tls
            case .invalidURL, .invalidRequest: .configuration
            case .malformedResponse: .notKubernetes
            case .tooLarge: .malformedAnswer
            default: .unreachable
            }
        // Both sentences begin with what can't be done; once is enough.
        let reason = failure.message.hasPrefix("cannot ") ? failure.message.dropFirst(7) : failure.message[...]
        var error = KubernetesError(
            code,
            "cannot \(summary): \(reason)",
            isTransient: failure.isTransient || failure.code == .malformedResponse
        )
        error.isSurelyUndone = failure.code == .cannotConnect
        return error
    }
}
