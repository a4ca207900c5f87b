/// The body of every answer that isn't a success.
public struct ErrorResponse: Codable, Sendable, Hashable {
    /// The error.
    public var error: Body

    /// Code, sentence, and what to do about it.
    public struct Body: Codable, Sendable, Hashable {
        /// Stable, like `fenced`, `unknownJob`, `notLeader`, `unauthorized`, `tooMany`.
        public var code: String
        /// One sentence.
        public var message: String
        /// Whether the same call can succeed later.
        public var retryable: Bool
        /// When to try again, if the coordinator knows.
        public var retryAfterMs: Int?
        /// For log patches: the offset wanted.
        public var nextOffset: Int64?

        /// Makes a body.
        public init(
            code: String,
            message: String,
            retryable: Bool,
            retryAfterMs: Int? = nil,
            nextOffset: Int64? = nil
        ) {
            self.code = code
            self.message = message
            self.retryable = retryable
            self.retryAfterMs = retryAfterMs
            self.nextOffset = nextOffset
        }
    }

    /// Makes an answer.
    public init(_ error: Body) { self.error = error }
}
