import BackupModel
import Foundation

/// Tokens of agents: `base64url(payload).base64url(HMAC-SHA256)`, checked without a look-up, valid across restarts.
struct SessionTokens: Sendable {
    /// What a token says.
    struct Payload: Codable, Sendable, Hashable {
        var agentID: String
        var namespace: String
        var incarnation: String
        var expires: Int64
    }

    private let key: [UInt8]

    init(key: [UInt8]) { self.key = key }

    /// A token that is valid until `expires` (Unix seconds).
    func make(_ payload: Payload) throws -> String {
        let body = Base64URL.text(try WireJSON.encode(payload))
        return "\(body).\(Base64URL.text(Digest.hmac(key: key, Array(body.utf8))))"
    }

    /// What a token says, if we made it and it is still valid.
    func check(_ token: String, now: Timestamp) -> Payload? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, token.utf8.count <= 4096,
            let signature = Base64URL.bytes(parts[1]),
            Digest.equal(signature, Digest.hmac(key: key, Array(parts[0].utf8))),
            let body = Base64URL.bytes(parts[0]),
            // We signed it, so it can be read unless an older version made it: then the agent registers again.
            let payload = try? WireJSON.decode(Payload.self, from: body),
            payload.expires * 1000 > now.unixMs
        else { return nil }
        return payload
    }
}
