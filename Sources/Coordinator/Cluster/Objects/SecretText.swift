import Foundation

/// Values of a Secret's `data`: base64.
enum SecretText {
    /// The bytes behind a text; nil when it isn't base64.
    static func bytes(_ text: String) -> [UInt8]? { Data(base64Encoded: text).map { [UInt8]($0) } }

    /// The text of bytes.
    static func text(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
}
