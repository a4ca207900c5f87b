import Foundation

/// A certificate that somebody else renews (cert-manager), in files.
public struct CertificateFiles: Sendable, Hashable {
    /// PEM file with the chain.
    public var certificate: String
    /// PEM file with the key.
    public var key: String

    /// Makes one from the paths.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    /// Reads both; they are renewed together, so a pair that doesn't belong together has been read in between.
    ///
    /// - Throws: ``CertificateError``.
    func read() throws(CertificateError) -> ServedCertificate {
        let chain = try text(certificate)
        let key = try text(key)
        let validity: Range<Int64>
        do throws(CertificateError) {
            let leaf = try Certificate(pem: chain)
            validity = try leaf.validity()
            guard leaf.belongs(to: try KeyPair(pem: key)) else {
                throw CertificateError("the key belongs to another certificate")
            }
        } catch {
            throw CertificateError("can't use \(certificate) and \(self.key): \(error)")
        }
        return ServedCertificate(
            chain: chain,
            key: key,
            notBefore: validity.lowerBound,
            notAfter: validity.upperBound,
            authority: nil
        )
    }

    /// What signed the certificate: `ca.crt` beside it, as cert-manager writes it, or else the certificate itself.
    ///
    /// - Throws: ``CertificateError``.
    func bundle() throws(CertificateError) -> String {
        let folder = certificate.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/"
        )
        let authority = certificate.contains("/") ? "\(folder)/ca.crt" : "ca.crt"
        return try text(FileManager.default.fileExists(atPath: authority) ? authority : certificate)
    }

    private func text(_ path: String) throws(CertificateError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw CertificateError("can't read \(path); check that it is there, and its owner and permissions")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
