/// What is wrong with bytes that should be BSON, or text that should be extended JSON.
public struct BSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of defect.
    public enum Code: String, Sendable, Hashable {
        /// The bytes end before what they announce.
        case truncated
        /// A length is negative, too small or points outside its document.
        case badLength
        /// An element's type byte is none that BSON knows.
        case unknownType
        /// A NUL that must be there is missing, or something follows the end.
        case badTerminator
        /// Documents are nested deeper than any server allows.
        case tooDeep
        /// An element is missing or has another type than expected.
        case unexpectedValue
        /// The text isn't JSON, or a `$` object in it isn't extended JSON.
        case badJSON
    }

    /// The kind of defect.
    public var code: Code
    /// What was found, in one clause.
    public var message: String
    /// Byte offset of the defect in what was read.
    public var offset: Int

    /// Makes an error.
    public init(_ code: Code, _ message: String, offset: Int = 0) {
        self.code = code
        self.message = message
        self.offset = offset
    }

    /// The clause with its offset.
    public var description: String { "\(message) (at byte \(offset))" }
}
