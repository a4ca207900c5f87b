import CCrypto
import CZstd
import Synchronization

/// Everything one task needs to hash, compress and seal: cipher, MAC, hash and zstd states, and a buffer.
///
/// Setting these up costs more than using them on a small blob, so they are kept in a `ContextPool`.
/// Not for use from two tasks at once.
final class CryptoContext {
    /// Bytes that sealing adds: nonce and MAC.
    static let overhead = 32
    /// Bytes of the nonce, which comes first.
    static let nonceLength = 16

    private let hasher: OpaquePointer
    private let stream: OpaquePointer
    private let block: OpaquePointer
    private let mac: OpaquePointer
    private let macR: [UInt8]
    let compressor: Compressor

    /// For a blob on its way into a pack: compressed in place of its ciphertext, then sealed where it lies.
    var sealed = Scratch()

    init(_ key: MasterKey, level: Int32) throws {
        guard let hasher = EVP_MD_CTX_new(), let stream = EVP_CIPHER_CTX_new(), let block = EVP_CIPHER_CTX_new(),
            let algorithm = EVP_MAC_fetch(nil, "POLY1305", nil), let mac = EVP_MAC_CTX_new(algorithm)
        else { throw cryptoFailure("making a cipher context") }
        EVP_MAC_free(algorithm)  // the context keeps its own reference
        self.hasher = hasher
        self.stream = stream
        self.block = block
        self.mac = mac
        macR = key.macR
        compressor = try Compressor(level: level)
        guard EVP_EncryptInit_ex2(stream, EVP_aes_256_ctr(), key.encrypt, nil, nil) == 1,
            EVP_EncryptInit_ex2(block, EVP_aes_128_ecb(), key.macK, nil, nil) == 1,
            EVP_CIPHER_CTX_set_padding(block, 0) == 1
        else { throw cryptoFailure("setting a key") }
    }

    deinit {
        EVP_MD_CTX_free(hasher)
        EVP_CIPHER_CTX_free(stream)
        EVP_CIPHER_CTX_free(block)
        EVP_MAC_CTX_free(mac)
    }

    /// SHA-256 of bytes.
    func sha256(_ bytes: UnsafeRawBufferPointer) throws -> ObjectID {
        var id = ObjectID.zero
        let done = withUnsafeMutableBytes(of: &id) { out in
            EVP_DigestInit_ex2(hasher, EVP_sha256(), nil) == 1
                && EVP_DigestUpdate(hasher, bytes.baseAddress, bytes.count) == 1
                && EVP_DigestFinal_ex(hasher, out.baseAddress?.assumingMemoryBound(to: UInt8.self), nil) == 1
        }
        guard done else { throw cryptoFailure("SHA-256") }
        return id
    }

    /// Writes nonce, ciphertext and MAC of `plain` to `output`, which has room for `plain.count + overhead` bytes.
    ///
    /// `plain` may lie where its ciphertext will: behind the nonce, at `output + nonceLength`; otherwise apart from it.
    func seal(_ plain: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) throws {
        let nonce = output.assumingMemoryBound(to: UInt8.self)
        repeat {
            guard RAND_bytes(nonce, 16) == 1 else { throw cryptoFailure("the random source") }
        } while isZero(nonce)  // readers refuse a nonce of zeros
        try cipher(plain, nonce: nonce, into: output + 16)
        let ciphertext = UnsafeRawBufferPointer(start: output + 16, count: plain.count)
        try authenticate(ciphertext, nonce: nonce, into: nonce + 16 + plain.count)
    }

    /// Sealed bytes of `plain` in an array of its own.
    func seal(_ plain: UnsafeRawBufferPointer) throws -> [UInt8] {
        let count = plain.count + Self.overhead
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            guard let base = buffer.baseAddress else { return }
            try seal(plain, into: base)
            initialized = count
        }
    }

    /// Verifies the MAC of `sealed`, then decrypts into `output`, which has room for `sealed.count - overhead` bytes.
    ///
    /// - Returns: false when the bytes were not sealed with this key, or changed since: nothing is decrypted then.
    func open(_ sealed: UnsafeRawBufferPointer, into output: UnsafeMutableRawPointer) throws -> Bool {
        guard sealed.count >= Self.overhead, let base = sealed.baseAddress else { return false }
        let nonce = base.assumingMemoryBound(to: UInt8.self)
        let length = sealed.count - Self.overhead
        let ciphertext = UnsafeRawBufferPointer(start: base + 16, count: length)
        guard !isZero(nonce) else { return false }
        let isAuthentic = try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { expected in
            guard let tag = expected.baseAddress else { return false }
            try authenticate(ciphertext, nonce: nonce, into: tag)
            return CRYPTO_memcmp(tag, base + 16 + length, 16) == 0
        }
        guard isAuthentic else { return false }
        try cipher(ciphertext, nonce: nonce, into: output)
        return true
    }

    /// Plaintext of `sealed`, or nil when it doesn't authenticate.
    func open(_ sealed: UnsafeRawBufferPointer) throws -> [UInt8]? {
        guard sealed.count >= Self.overhead else { return nil }
        var isAuthentic = false
        let plain = try [UInt8](unsafeUninitializedCapacity: max(1, sealed.count - Self.overhead)) {
            buffer,
            initialized in
            guard let base = buffer.baseAddress else { return }
            isAuthentic = try open(sealed, into: base)
            initialized = isAuthentic ? sealed.count - Self.overhead : 0
        }
        return isAuthentic ? plain : nil
    }

    /// AES-256 in counter mode: the same both ways.
    private func cipher(
        _ input: UnsafeRawBufferPointer,
        nonce: UnsafePointer<UInt8>,
        into output: UnsafeMutableRawPointer
    ) throws {
        guard EVP_EncryptInit_ex2(stream, nil, nil, nonce, nil) == 1 else { throw cryptoFailure("AES-256-CTR") }
        guard let base = input.baseAddress else { return }
        var done = 0
        while done < input.count {
            let step = min(input.count - done, 1 << 30)  // EVP counts in Int32
            var written: Int32 = 0
            let result = EVP_EncryptUpdate(
                stream,
                output.assumingMemoryBound(to: UInt8.self) + done,
                &written,
                base.assumingMemoryBound(to: UInt8.self) + done,
                Int32(step)
            )
            guard result == 1, Int(written) == step else { throw cryptoFailure("AES-256-CTR") }
            done += step
        }
    }

    /// Poly1305 over the ciphertext alone, with the one-time key r || AES-128(k, nonce).
    func authenticate(
        _ ciphertext: UnsafeRawBufferPointer,
        nonce: UnsafePointer<UInt8>,
        into tag: UnsafeMutablePointer<UInt8>
    ) throws {
        try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { key in
            guard let base = key.baseAddress else { return }
            base.initialize(from: macR, count: 16)
            var written: Int32 = 0
            var length = 0
            guard EVP_EncryptUpdate(block, base + 16, &written, nonce, 16) == 1, written == 16,
                EVP_MAC_init(mac, base, 32, nil) == 1,
                EVP_MAC_update(mac, ciphertext.baseAddress?.assumingMemoryBound(to: UInt8.self), ciphertext.count) == 1,
                EVP_MAC_final(mac, tag, &length, 16) == 1, length == 16
            else { throw cryptoFailure("Poly1305-AES") }
        }
    }

    private func isZero(_ nonce: UnsafePointer<UInt8>) -> Bool {
        UnsafeBufferPointer(start: nonce, count: 16).allSatisfy { $0 == 0 }
    }
}

/// Memory that grows to the largest use and is then used again and again.
struct Scratch: ~Copyable {
    private(set) var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    deinit { buffer.deallocate() }

    /// Memory of at least `count` bytes; what was in it before is lost.
    mutating func reserve(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if buffer.count < count {
            buffer.deallocate()
            buffer = .allocate(byteCount: max(count, 64 << 10), alignment: 64)
        }
        return buffer
    }

    /// Gives memory back that one unusually large blob needed.
    mutating func shrink(above limit: Int) {
        guard buffer.count > limit else { return }
        buffer.deallocate()
        buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }
}

/// Contexts for as many tasks as work at once; the lock is held only to take one out or put it back.
final class ContextPool: Sendable {
    private struct Idle: @unchecked Sendable {
        // A context is in this list or in the hands of exactly one task.
        var contexts: [CryptoContext] = []
    }

    private let key: MasterKey
    private let level: Int32
    private let idle = Mutex(Idle())

    init(_ key: MasterKey, level: Int32) {
        self.key = key
        self.level = level
    }

    /// Runs `body` with a context that nobody else uses meanwhile.
    func withContext<Result>(_ body: (CryptoContext) throws -> Result) throws -> Result {
        let context = try idle.withLock { $0.contexts.popLast() } ?? CryptoContext(key, level: level)
        defer {
            context.sealed.shrink(above: 8 << 20)
            let returned = Idle(contexts: [context])
            idle.withLock { $0.contexts += returned.contexts }
        }
        return try body(context)
    }
}
