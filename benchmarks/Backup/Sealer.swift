import CCrypto
import CZstd
import TestSupport

/// Hash, zstd level 1, AES-256-CTR and Poly1305 of a chunk: the least that an encrypted, deduplicating repository does.
///
/// One reader uses it at a time.
final class Sealer: @unchecked Sendable {
    private let compressor: OpaquePointer
    private let cipher: OpaquePointer
    private let hash: OpaquePointer
    private var compressed = [UInt8](repeating: 0, count: ZSTD_compressBound(20 << 20))
    private let key = [UInt8](repeating: 7, count: 32)
    private let nonce = [UInt8](repeating: 9, count: 16)

    init() throws {
        guard let compressor = ZSTD_createCCtx(), let cipher = EVP_CIPHER_CTX_new(), let hash = EVP_MD_CTX_new() else {
            throw TestSupportError("no memory for contexts")
        }
        self.compressor = compressor
        self.cipher = cipher
        self.hash = hash
    }

    deinit {
        ZSTD_freeCCtx(compressor)
        EVP_CIPHER_CTX_free(cipher)
        EVP_MD_CTX_free(hash)
    }

    /// Does the work and drops the result.
    func seal(_ chunk: [UInt8]) throws {
        var digest = [UInt8](repeating: 0, count: 32)
        var length = UInt32(0)
        guard
            EVP_DigestInit_ex(hash, EVP_sha256(), nil) == 1,
            EVP_DigestUpdate(hash, chunk, chunk.count) == 1,
            EVP_DigestFinal_ex(hash, &digest, &length) == 1
        else { throw TestSupportError("SHA-256 failed") }
        let size = ZSTD_compressCCtx(compressor, &compressed, compressed.count, chunk, chunk.count, 1)
        guard ZSTD_isError(size) == 0 else { throw TestSupportError("zstd failed") }
        var written = Int32(0)
        let succeeded = compressed.withUnsafeMutableBufferPointer { buffer in
            EVP_EncryptInit_ex(cipher, EVP_aes_256_ctr(), nil, key, nonce) == 1
                && EVP_EncryptUpdate(cipher, buffer.baseAddress, &written, buffer.baseAddress, Int32(size)) == 1
        }
        guard succeeded else { throw TestSupportError("AES failed") }
        var tag = [UInt8](repeating: 0, count: 16)
        var tagLength = 0
        guard
            EVP_Q_mac(
                nil,
                "POLY1305",
                nil,
                nil,
                nil,
                key,
                key.count,
                compressed,
                size,
                &tag,
                tag.count,
                &tagLength
            ) != nil
        else { throw TestSupportError("Poly1305 failed") }
    }
}
