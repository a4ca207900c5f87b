/// What went wrong in the agent itself: a stable code for programs, a sentence for people.
public struct AgentError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; open, so that callers can switch over what they know.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's stable name.
        public let description: String
        /// Makes a code from its stable name.
        public init(_ description: String) { self.description = description }

        /// A flag, a variable or a file of the configuration makes no sense.
        public static let invalidConfiguration = Code("invalidConfiguration")
        /// The state directory can't be used: missing rights, a full disk, another agent in it.
        public static let stateDirectory = Code("stateDirectory")
        /// The job is of a kind, or lacks something, that this agent can't work with.
        public static let unsupported = Code("unsupported")
        /// The coordinator refused the agent or one of its calls for good.
        public static let refused = Code("refused")
        /// The supervisor can't start its worker.
        public static let worker = Code("worker")
        /// No agent answers at the state directory.
        public static let notRunning = Code("notRunning")
    }

    /// What kind of failure.
    public var code: Code
    /// What was attempted on what, why it failed, and what to do: lower case, no secrets.
    public var message: String

    /// Makes an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The sentence for people.
    public var description: String { message }
}
