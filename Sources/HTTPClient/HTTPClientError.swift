/// Why there is no response: a stable code for programs, a sentence for people.
public struct HTTPClientError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; open.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's stable name.
        public let description: String
        /// Makes a code from its stable name.
        public init(_ description: String) { self.description = description }

        /// The name couldn't be resolved or nobody took the connection.
        public static let cannotConnect = Code("cannotConnect")
        /// A time limit ran out: connecting, the whole exchange, or nothing moved.
        public static let timedOut = Code("timedOut")
        /// The certificate wasn't good, ours wasn't accepted, or the handshake failed.
        public static let tls = Code("tls")
        /// The connection broke before the response was whole.
        public static let brokenConnection = Code("brokenConnection")
        /// The response is longer than the request allows.
        public static let tooLarge = Code("tooLarge")
        /// The task was cancelled.
        public static let cancelled = Code("cancelled")
        /// No URL that we can use.
        public static let invalidURL = Code("invalidURL")
        /// A header or the method holds what HTTP can't carry.
        public static let invalidRequest = Code("invalidRequest")
        /// What came back isn't HTTP.
        public static let malformedResponse = Code("malformedResponse")
        /// libcurl reported something else.
        public static let unexpected = Code("unexpected")
    }

    /// What kind of failure.
    public var code: Code
    /// What was attempted on what, why it failed, and what to do: lower case, no secrets.
    public var message: String
    /// Whether trying the same request again can help.
    public var isTransient: Bool

    /// Makes an error.
    public init(_ code: Code, _ message: String, isTransient: Bool = false) {
        self.code = code
        self.message = message
        self.isTransient = isTransient
    }

    /// The sentence for people.
    public var description: String { message }
}
