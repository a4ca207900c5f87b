import Synchronization

/// Takes secrets out of texts by their value: whatever put them there, they don't get into a log line or an answer.
public final class Redactor: Sendable {
    /// What stands where a secret stood.
    public static let mark = "‹redacted›"

    private let secrets = Mutex<Set<String>>([])

    /// Makes a redactor that knows no secret yet.
    public init() {}

    /// Remembers a secret, also in the form in which it stands in a URL.
    ///
    /// Empty ones are ignored.
    public func register(_ secret: String) {
        guard !secret.isEmpty else { return }
        secrets.withLock { secrets in
            secrets.insert(secret)
            secrets.insert(Self.percentEncoded(secret))
        }
    }

    /// The text without any secret known.
    public func redact(_ text: String) -> String {
        let known = secrets.withLock { $0 }
        guard !known.isEmpty else { return text }
        var text = text
        // Longest first: a secret that contains another must go as a whole.
        for secret in known.sorted(by: { $0.utf8.count > $1.utf8.count }) where text.contains(secret) {
            text = Self.replace(secret, in: text)
        }
        return text
    }

    /// Short secrets are taken out only where they stand alone: a password `a` must not make every text unreadable.
    private static let shortest = 6

    private static func replace(_ secret: String, in text: String) -> String {
        guard secret.utf8.count < shortest else { return text.replacing(secret, with: mark) }
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: secret) {
            let before = range.lowerBound == text.startIndex ? nil : text[text.index(before: range.lowerBound)]
            let after = range.upperBound == text.endIndex ? nil : text[range.upperBound]
            let standsAlone = !isWordCharacter(before) && !isWordCharacter(after)
            result += rest[..<range.lowerBound]
            result += standsAlone ? mark : secret
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    private static func isWordCharacter(_ character: Character?) -> Bool {
        guard let character else { return false }
        return character.isLetter || character.isNumber
    }

    private static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { result, byte in
            let scalar = Unicode.Scalar(byte)
            let isUnreserved =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || "-._~".unicodeScalars.contains(scalar)
            if isUnreserved {
                result.unicodeScalars.append(scalar)
            } else {
                result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
