import CCrypto
import Dispatch

/// The key that a repository's blobs and files are sealed with (restic design.rst, "Keys, Encryption and MAC").
///
/// `macR` is kept as it was stored: Poly1305 clamps it, and clamping it on disk would change the key file.
struct MasterKey: Sendable, Equatable {
    /// AES-256 key of the stream cipher.
    var encrypt: [UInt8]
    /// AES-128 key that turns a nonce into Poly1305's one-time part.
    var macK: [UInt8]
    /// Poly1305's fixed part.
    var macR: [UInt8]

    /// A new key from the system's random source.
    static func random() throws -> MasterKey {
        MasterKey(
            encrypt: try Random.bytes(32),
            macK: try Random.bytes(16),
            macR: try Random.bytes(16)
        )
    }

    init(encrypt: [UInt8], macK: [UInt8], macR: [UInt8]) {
        self.encrypt = encrypt
        self.macK = macK
        self.macR = macR
    }

    /// Splits 64 derived bytes: encryption key first, then k, then r.
    init(derived: [UInt8]) {
        encrypt = Array(derived[0..<32])
        macK = Array(derived[32..<48])
        macR = Array(derived[48..<64])
    }

    /// 32 bytes for another purpose, which tell nothing about the key: HMAC-SHA256(k || r || encrypt, label).
    func derive(_ label: String) throws -> [UInt8] {
        let key = macK + macR + encrypt
        let message = Array(label.utf8)
        var output = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        let result = HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &output, &length)
        guard result != nil, length == 32 else { throw cryptoFailure("HMAC-SHA256") }
        return output
    }
}

/// How hard it is to try passwords: scrypt's parameters.
public struct KDFParameters: Sendable, Equatable {
    /// Memory and time cost, a power of two above 1.
    public var n: Int
    /// Block size.
    public var r: Int
    /// Parallelisation, here a factor of time.
    public var p: Int

    /// Makes parameters; memory is 128·n·r bytes.
    public init(n: Int, r: Int, p: Int) {
        self.n = n
        self.r = r
        self.p = p
    }

    /// 32 MiB and about 0.3 s: restic aims at half a second.
    public static let standard = KDFParameters(n: 32768, r: 8, p: 4)

    /// Bytes that the derivation works on.
    var memory: Int { 128 * n * r }

    /// Derives the key that opens a key file.
    ///
    /// On threads of its own and on half of the cores at most: when hundreds of repositories are opened at once, whoever
    /// else uses Swift's pool must not wait for minutes.
    func derive(_ password: [UInt8], salt: [UInt8]) async throws -> MasterKey {
        try Task.checkCancellation()
        return try await withCheckedThrowingContinuation { continuation in
            DerivationQueues.next().async {
                continuation.resume(with: Result { try deriveNow(password, salt: salt) })
            }
        }
    }

    private func deriveNow(_ password: [UInt8], salt: [UInt8]) throws -> MasterKey {
        // The limits keep a forged key file from taking all memory or days; restic's own largest is 60 MiB.
        guard n > 1, n & (n - 1) == 0, n <= 1 << 24, r >= 1, r <= 64, p >= 1, p <= 1024, memory <= 1 << 30 else {
            throw RepositoryError(
                .damaged,
                "a key file asks for scrypt with N=\(n), r=\(r), p=\(p), which makes no sense"
            )
        }
        var output = [UInt8](repeating: 0, count: 64)
        // OpenSSL counts more than the main block and refuses above `maxmem`; its default of 32 MiB is too little.
        let limit = UInt64(memory + 128 * r * (p + 2) + (1 << 20))
        let result = password.withUnsafeBytes { pass in
            EVP_PBE_scrypt(
                pass.baseAddress?.assumingMemoryBound(to: CChar.self),
                pass.count,
                salt,
                salt.count,
                UInt64(n),
                UInt64(r),
                UInt64(p),
                limit,
                &output,
                output.count
            )
        }
        guard result == 1 else { throw cryptoFailure("scrypt") }
        return MasterKey(derived: output)
    }
}

/// The system's cryptographic random source.
enum Random {
    static func bytes(_ count: Int) throws -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        guard RAND_bytes(&output, Int32(count)) == 1 else { throw cryptoFailure("the random source") }
        return output
    }
}

/// An error for a call into libcrypto that cannot fail on valid arguments.
func cryptoFailure(_ what: String) -> RepositoryError {
    let code = ERR_get_error()
    var text = [CChar](repeating: 0, count: 256)
    ERR_error_string_n(code, &text, text.count)
    let end = text.firstIndex(of: 0) ?? text.endIndex
    let reason = String(decoding: text[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return RepositoryError(.library, "libcrypto failed at \(what): \(reason)")
}
