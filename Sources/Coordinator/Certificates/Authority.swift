import CCrypto

/// An authority that signs the certificates of coordinators, and that agents and the API server trust.
public struct Authority: Codable, Sendable, Hashable {
    /// How long one is good, in seconds: a year.
    public static let lifetime: Int64 = 365 * 86_400
    /// Clocks of other machines may be so many seconds behind ours.
    static let tolerance: Int64 = 300

    /// Its certificate (PEM).
    public var certificate: String
    /// Its key (PEM): a secret.
    public var key: String
    /// SHA-256 of its certificate, as lower-case hexadecimal digits.
    public var fingerprint: String
    /// From when on it is good, in seconds since 1970.
    public var notBefore: Int64
    /// Until when it is good, in seconds since 1970.
    public var notAfter: Int64

    /// Makes an authority: a P-384 key and its own certificate.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: the authority.
    /// - Throws: ``CertificateError``.
    public static func make(now: Int64) throws(CertificateError) -> Authority {
        let pair = try KeyPair(.p384)
        let content = Certificate.Content(
            // A name of its own: of two authorities with one name, some programs try only the first.
            name: "remora authority \(Digest.hex(Digest.random(4)))",
            notBefore: now - tolerance,
            notAfter: now + lifetime,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ]
        )
        let certificate = try Certificate.selfSigned(content, pair)
        return Authority(
            certificate: try certificate.pem(),
            key: try pair.pem(),
            fingerprint: certificate.fingerprint(),
            notBefore: content.notBefore,
            notAfter: content.notAfter
        )
    }

    /// Why it can't be used at a time (in seconds since 1970), or nil when it can.
    func reasonAgainst(now: Int64) -> String? {
        do throws(CertificateError) {
            let certificate = try Certificate(pem: certificate)
            let validity = try certificate.validity()
            if !certificate.belongs(to: try KeyPair(pem: key)) { return "its key belongs to another certificate" }
            if certificate.fingerprint() != fingerprint { return "its certificate was exchanged" }
            if validity.lowerBound != notBefore || validity.upperBound != notAfter { return "its times were changed" }
            if now >= notAfter { return "it has expired" }
            return nil
        } catch {
            return error.description
        }
    }

    /// Makes a key and a certificate for it, which this authority signs.
    ///
    /// - Parameters:
    ///   - names: DNS names and addresses that the certificate is good for; the first one is its common name.
    ///   - now: seconds since 1970.
    ///   - lifetime: seconds; it never outlives the authority.
    /// - Returns: the pair.
    /// - Throws: ``CertificateError``.
    public func issue(
        _ names: [String],
        now: Int64,
        lifetime: Int64 = ServedCertificate.lifetime
    ) throws(CertificateError) -> ServedCertificate {
        let alternatives = try names.map { name throws(CertificateError) in try Self.alternative(name) }
        guard let first = names.first else { throw CertificateError("a certificate needs a name") }
        let issuer = try Certificate(pem: certificate)
        let pair = try KeyPair(.p256)
        let content = Certificate.Content(
            name: String(first.prefix(64)),
            notBefore: max(notBefore, now - Self.tolerance),
            notAfter: min(notAfter, now + lifetime),
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, "serverAuth"), (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid"), (NID_subject_alt_name, alternatives.joined(separator: ",")),
            ]
        )
        let made = try issuer.sign(content, for: pair, with: try KeyPair(pem: key))
        return ServedCertificate(
            chain: try made.pem(),
            key: try pair.pem(),
            notBefore: content.notBefore,
            notAfter: content.notAfter,
            authority: fingerprint
        )
    }

    /// A name as libcrypto's configuration has it; commas and the like would mean something there.
    private static func alternative(_ name: String) throws(CertificateError) -> String {
        let isAddress =
            name.contains(":")
            || name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { UInt8($0) != nil }
        let isGood = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E: true
            case 0x3A: isAddress
            default: false
            }
        }
        guard isGood, !name.isEmpty, name.utf8.count <= 253 else {
            throw CertificateError("can't make a certificate for '\(name)', which is neither a DNS name nor an address")
        }
        return isAddress ? "IP:\(name)" : "DNS:\(name)"
    }
}

/// A certificate and its key as they are served.
public struct ServedCertificate: Sendable, Hashable {
    /// How long one of our own is good, in seconds: a week.
    public static let lifetime: Int64 = 7 * 86_400

    /// The certificate and what leads to its authority (PEM).
    public var chain: String
    /// The key (PEM): a secret that never leaves the process.
    public var key: String
    /// From when on it is good, in seconds since 1970.
    public var notBefore: Int64
    /// Until when it is good, in seconds since 1970.
    public var notAfter: Int64
    /// Fingerprint of the authority that signed it; nil where that isn't ours.
    public var authority: String?

    /// Whether it is time for another one: after two thirds of its time, or when the clock was set back before it.
    func isDue(now: Int64) -> Bool {
        now < notBefore || now - notBefore >= (notAfter - notBefore) * 2 / 3
    }
}
