/// Why no agent can be injected: what kind of reason, and one sentence for people.
///
/// It never stops a pod (unless the installation is strict): the pod goes on without an agent and says why.
public struct InjectionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of reason; open.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's stable name.
        public let description: String
        /// Makes a code from its stable name.
        public init(_ description: String) { self.description = description }

        /// An annotation says what it can't.
        public static let annotation = Code("annotation")
        /// The database's container isn't there or isn't clear.
        public static let container = Code("container")
        /// The data volume isn't there or can't be shared.
        public static let dataVolume = Code("dataVolume")
        /// The agent can't run as the user that it would have to be, or not in this namespace.
        public static let security = Code("security")
        /// Requests and limits don't go together.
        public static let resources = Code("resources")
        /// The kind of sidecar doesn't fit the pod or the cluster.
        public static let sidecar = Code("sidecar")
        /// The pod holds something of our name that isn't ours.
        public static let nameTaken = Code("nameTaken")
        /// The pod isn't shaped as the API describes it.
        public static let shape = Code("shape")
        /// The pod with the agent would be refused.
        public static let invalidResult = Code("invalidResult")
        /// Nobody answered in time.
        public static let deadline = Code("deadline")
    }

    /// Which kind of reason.
    public var code: Code
    /// What is wrong and what would be right.
    public var message: String

    /// Makes an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The sentence for people.
    public var description: String { message }
}
