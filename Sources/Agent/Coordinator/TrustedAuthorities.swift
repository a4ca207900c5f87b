import CCrypto
import FoundationEssentials

/// The authorities of which a coordinator's certificate is taken: the certificates of the PEM file as it is now.
///
/// Every new connection reads that file (it is a mounted ConfigMap), so what stands in it is what is trusted.
enum TrustedAuthorities {
    /// More than a bundle ever has: two while authorities are exchanged, and those that went.
    private static let most = 16

    /// SHA-256 of each certificate, as lower-case hexadecimal digits.
    ///
    /// - Parameter file: path of the PEM file; nil where the system's authorities are trusted.
    /// - Returns: nil without a file; empty when it can't be read, since then nothing is trusted.
    static func fingerprints(of file: String?) -> [String]? {
        guard let file else { return nil }
        // The connection itself says what is wrong with the file.
        guard let data = try? Data(contentsOf: URL(filePath: file)) else { return [] }
        return fingerprints(pem: String(decoding: data, as: UTF8.self))
    }

    static func fingerprints(pem: String) -> [String] {
        var found: [String] = []
        var body: String?
        for line in pem.split(whereSeparator: \.isNewline) {
            let text = line.filter { !$0.isWhitespace }
            switch text {
            case "-----BEGINCERTIFICATE-----": body = ""
            case "-----ENDCERTIFICATE-----":
                if let body, let bytes = Data(base64Encoded: body), found.count < most { found.append(sha256(bytes)) }
                body = nil
            default: body? += text
            }
        }
        return found
    }

    private static func sha256(_ data: Data) -> String {
        let bytes = [UInt8](data)
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &digest)
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
