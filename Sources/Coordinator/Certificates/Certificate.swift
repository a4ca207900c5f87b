import CCrypto
import Glibc

/// A certificate (X.509) in libcrypto's hands.
struct Certificate: ~Copyable {
    let pointer: OpaquePointer

    deinit { X509_free(pointer) }

    private init(pointer: OpaquePointer) { self.pointer = pointer }

    /// Reads the first certificate of a PEM text.
    init(pem: String) throws(CertificateError) {
        let bytes = Array(pem.utf8)
        let source = BIO_new_mem_buf(bytes, Int32(bytes.count))
        defer { BIO_free(source) }
        guard let certificate = PEM_read_bio_X509(source, nil, nil, nil) else {
            throw CertificateError("can't read a certificate: \(LibCrypto.lastError())")
        }
        pointer = certificate
    }

    /// What a new certificate says.
    struct Content {
        /// The common name.
        var name: String
        /// From when on it is good, in seconds since 1970.
        var notBefore: Int64
        /// Until when it is good, in seconds since 1970.
        var notAfter: Int64
        /// Extensions as libcrypto's number and text (`x509v3_config(5)`), in their order.
        var extensions: [(Int32, String)]
    }

    /// Makes a certificate for a key, which signs it itself.
    static func selfSigned(_ content: Content, _ key: borrowing KeyPair) throws(CertificateError) -> Certificate {
        try make(content, key.pointer, issuer: nil, issuerKey: key.pointer)
    }

    /// Makes a certificate for a key, which this one's key signs.
    func sign(
        _ content: Content,
        for key: borrowing KeyPair,
        with own: borrowing KeyPair
    ) throws(CertificateError) -> Certificate {
        try Self.make(content, key.pointer, issuer: pointer, issuerKey: own.pointer)
    }

    private static func make(
        _ content: Content,
        _ key: OpaquePointer,
        issuer: OpaquePointer?,
        issuerKey: OpaquePointer
    ) throws(CertificateError) -> Certificate {
        guard let pointer = X509_new() else { throw CertificateError("can't make a certificate: no memory") }
        let certificate = Certificate(pointer: pointer)
        let names = X509_get_subject_name(pointer)
        let from = ASN1_TIME_set(nil, Int(content.notBefore))
        let until = ASN1_TIME_set(nil, Int(content.notAfter))
        defer {
            ASN1_TIME_free(from)
            ASN1_TIME_free(until)
        }
        // An ASCII text, MBSTRING_ASC.
        let ascii: Int32 = 0x1001
        guard X509_set_version(pointer, 2) == 1, setSerial(pointer),
            X509_NAME_add_entry_by_txt(names, "O", ascii, "Remora", -1, -1, 0) == 1,
            X509_NAME_add_entry_by_txt(names, "CN", ascii, content.name, -1, -1, 0) == 1,
            X509_set1_notBefore(pointer, from) == 1, X509_set1_notAfter(pointer, until) == 1,
            X509_set_pubkey(pointer, key) == 1
        else { throw CertificateError("can't make the certificate '\(content.name)': \(LibCrypto.lastError())") }
        let signer = issuer ?? pointer
        guard X509_set_issuer_name(pointer, X509_get_subject_name(signer)) == 1 else {
            throw CertificateError("can't name the issuer of '\(content.name)': \(LibCrypto.lastError())")
        }
        for (identifier, value) in content.extensions {
            var context = X509V3_CTX()
            X509V3_set_ctx(&context, signer, pointer, nil, nil, 0)
            let made = X509V3_EXT_conf_nid(nil, &context, identifier, value)
            defer { X509_EXTENSION_free(made) }
            guard made != nil, X509_add_ext(pointer, made, -1) == 1 else {
                throw CertificateError(
                    "can't put '\(value)' into the certificate '\(content.name)': \(LibCrypto.lastError())"
                )
            }
        }
        guard X509_sign(pointer, issuerKey, EVP_sha384()) > 0 else {
            throw CertificateError("can't sign the certificate '\(content.name)': \(LibCrypto.lastError())")
        }
        return certificate
    }

    /// 127 random bits: positive, and never twice.
    private static func setSerial(_ pointer: OpaquePointer) -> Bool {
        var bytes = Digest.random(16)
        bytes[0] &= 0x7F
        let number = BN_bin2bn(bytes, Int32(bytes.count), nil)
        defer { BN_free(number) }
        return number != nil && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil
    }

    /// The certificate as PEM text.
    func pem() throws(CertificateError) -> String {
        try LibCrypto.text("certificate") { PEM_write_bio_X509($0, pointer) }
    }

    /// SHA-256 of the certificate, as lower-case hexadecimal digits.
    func fingerprint() -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 32
        X509_digest(pointer, EVP_sha256(), &digest, &length)
        return Digest.hex(digest)
    }

    /// From when to when it is good, in seconds since 1970.
    func validity() throws(CertificateError) -> Range<Int64> {
        var (from, until) = (tm(), tm())
        guard ASN1_TIME_to_tm(X509_get0_notBefore(pointer), &from) == 1,
            ASN1_TIME_to_tm(X509_get0_notAfter(pointer), &until) == 1
        else { throw CertificateError("can't read the times of a certificate: \(LibCrypto.lastError())") }
        let (begin, end) = (Int64(timegm(&from)), Int64(timegm(&until)))
        guard begin < end else { throw CertificateError("a certificate ends before it begins") }
        return begin..<end
    }

    /// Whether this is the certificate of a key.
    func belongs(to key: borrowing KeyPair) -> Bool {
        defer { ERR_clear_error() }
        return X509_check_private_key(pointer, key.pointer) == 1
    }
}
