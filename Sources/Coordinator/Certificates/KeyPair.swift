import CCrypto

/// An elliptic key in libcrypto's hands.
struct KeyPair: ~Copyable {
    /// Curves as libcrypto names them.
    enum Curve: String {
        /// For authorities.
        case p384 = "P-384"
        /// For what is renewed every few days: handshakes with it cost a quarter.
        case p256 = "P-256"
    }

    let pointer: OpaquePointer

    deinit { EVP_PKEY_free(pointer) }

    /// Makes a key.
    init(_ curve: Curve) throws(CertificateError) {
        let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard context != nil, EVP_PKEY_keygen_init(context) == 1,
            EVP_PKEY_CTX_set_group_name(context, curve.rawValue) == 1, EVP_PKEY_generate(context, &key) == 1, let key
        else { throw CertificateError("can't make a \(curve.rawValue) key: \(LibCrypto.lastError())") }
        pointer = key
    }

    /// Reads a key.
    init(pem: String) throws(CertificateError) {
        let bytes = Array(pem.utf8)
        let source = BIO_new_mem_buf(bytes, Int32(bytes.count))
        defer { BIO_free(source) }
        guard let key = PEM_read_bio_PrivateKey(source, nil, nil, nil) else {
            throw CertificateError("can't read a private key: \(LibCrypto.lastError())")
        }
        pointer = key
    }

    /// The key as PEM text (PKCS #8).
    func pem() throws(CertificateError) -> String {
        try LibCrypto.text("private key") { PEM_write_bio_PKCS8PrivateKey($0, pointer, nil, nil, 0, nil, nil) }
    }
}

/// What all calls of libcrypto need.
enum LibCrypto {
    /// Why the last call failed, in libcrypto's words.
    static func lastError() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let text = ERR_reason_error_string(code) else { return "libcrypto says no more" }
        return String(cString: text)
    }

    /// The PEM text that `write` gives.
    static func text(_ what: String, _ write: (OpaquePointer?) -> Int32) throws(CertificateError) -> String {
        let sink = BIO_new(BIO_s_mem())
        defer { BIO_free(sink) }
        guard sink != nil, write(sink) == 1 else { throw CertificateError("can't write a \(what): \(lastError())") }
        var text: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = BIO_read(sink, &part, Int32(part.count))
            guard count > 0 else { return String(decoding: text, as: UTF8.self) }
            text += part[..<Int(count)]
        }
    }
}
