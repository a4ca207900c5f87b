import Glibc

/// AWS Signature Version 4 in the `Authorization` header (Amazon S3 API reference, "Authenticating requests").
struct SignatureV4: Sendable {
    var accessKeyID: String
    var secretAccessKey: String
    var region: String
    var service = "s3"

    /// What is signed of a request.
    struct Request {
        var method: String
        /// Percent-encoded once, with its leading slash.
        var path: String
        /// Names and values as they are, not yet encoded.
        var query: [(String, String)] = []
        /// All fields that are to be signed, `host` and `x-amz-date` among them.
        var headers: [(String, String)]
        /// Lower-case hexadecimal SHA-256 of the body.
        var payloadHash: String
    }

    /// The query as it stands in the URL and in what is signed: encoded and sorted.
    static func canonicalQuery(_ query: [(String, String)]) -> String {
        query.map { (Encoding.percentEncode($0.0), Encoding.percentEncode($0.1)) }
            .sorted { $0.0 == $1.0 ? isBefore($0.1, $1.1) : isBefore($0.0, $1.0) }
            .map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
    }

    static func canonicalRequest(_ request: Request) -> (text: String, signedHeaders: String) {
        let headers = request.headers
            .map { (name: $0.0.lowercased(), value: trimmed($0.1)) }
            .sorted { isBefore($0.name, $1.name) }
        let signedHeaders = headers.map(\.name).joined(separator: ";")
        let lines =
            [request.method, request.path, canonicalQuery(request.query)]
            + headers.map { "\($0.name):\($0.value)" } + ["", signedHeaders, request.payloadHash]
        return (lines.joined(separator: "\n"), signedHeaders)
    }

    static func stringToSign(_ canonicalRequest: String, date: String, scope: String) -> String {
        let hash = Encoding.hex(Digest.sha256(Array(canonicalRequest.utf8)))
        return "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(hash)"
    }

    /// The value of the `Authorization` field, for a date such as `20130524T000000Z`, the same as in `x-amz-date`.
    func authorization(for request: Request, date: String) -> String {
        let day = String(date.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let canonical = Self.canonicalRequest(request)
        let text = Self.stringToSign(canonical.text, date: date, scope: scope)
        var key = Digest.hmac(Array("AWS4\(secretAccessKey)".utf8), day)
        for part in [region, service, "aws4_request"] { key = Digest.hmac(key, part) }
        let signature = Encoding.hex(Digest.hmac(key, text))
        return
            "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/\(scope),SignedHeaders=\(canonical.signedHeaders),Signature=\(signature)"
    }

    /// The time as `20130524T000000Z`.
    static func date(_ secondsSinceEpoch: Int) -> String {
        var seconds = time_t(secondsSinceEpoch)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int32, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return digits(parts.tm_year + 1900, 4) + digits(parts.tm_mon + 1, 2) + digits(parts.tm_mday, 2) + "T"
            + digits(parts.tm_hour, 2) + digits(parts.tm_min, 2) + digits(parts.tm_sec, 2) + "Z"
    }

    /// By bytes: the signature's order has nothing to do with any language's.
    private static func isBefore(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// Without spaces at the ends and with single spaces inside.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}
