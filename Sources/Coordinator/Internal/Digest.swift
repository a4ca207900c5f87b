import CCrypto

/// SHA-256, HMAC and random bytes from libcrypto.
enum Digest {
    /// SHA-256 of the bytes.
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &result)
        return result
    }

    /// HMAC-SHA256.
    static func hmac(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 32
        _ = HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &result, &length)
        return result
    }

    /// Whether two byte strings are equal, in a time that tells nothing of where they differ.
    static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }

    /// Lower-case hexadecimal digits.
    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Random bytes for keys and names, from the system's generator.
    static func random(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}

/// Names of jobs: deterministic, so that a repeated decision names the same job.
enum JobID {
    /// The job of one attempt on one pod: the first 32 digits of SHA-256(session ‖ pod ‖ attempt).
    static func make(session: String, pod: String, attempt: Int) -> String {
        // NUL between the parts: no two different triples give the same bytes.
        String(Digest.hex(Digest.sha256(Array("\(session)\0\(pod)\0\(attempt)".utf8))).prefix(32))
    }
}
