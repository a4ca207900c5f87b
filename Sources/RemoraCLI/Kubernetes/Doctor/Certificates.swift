import Foundation

/// The certificates of a PEM text, to compare two of them whatever their line ends and order.
struct Certificates: Sendable, Hashable {
    private let bodies: Set<String>

    init(pem: String) {
        var bodies: Set<String> = []
        var body: String?
        for line in pem.split(whereSeparator: \.isNewline) {
            let line = line.trimmingCharacters(in: .whitespaces)
            switch line {
            case "-----BEGIN CERTIFICATE-----": body = ""
            case "-----END CERTIFICATE-----":
                if let body, !body.isEmpty { bodies.insert(body) }
                body = nil
            default: body? += line
            }
        }
        self.bodies = bodies
    }

    /// A `caBundle` as it stands in JSON; nil when it isn't base64.
    init?(base64: String) {
        guard let data = Data(base64Encoded: base64) else { return nil }
        self.init(pem: String(decoding: data, as: UTF8.self))
    }

    func isDisjoint(with other: Certificates) -> Bool { bodies.isDisjoint(with: other.bodies) }
}
