/// Why a call failed: a stable code for programs, a sentence for people.
public struct KubernetesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure; open.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's stable name.
        public let description: String
        /// Makes a code from its stable name.
        public init(_ description: String) { self.description = description }

        /// There is no such object.
        public static let notFound = Code("notFound")
        /// The server doesn't know such a kind: its definition isn't installed.
        public static let unknownResource = Code("unknownResource")
        /// An object of that name is there already.
        public static let alreadyExists = Code("alreadyExists")
        /// Somebody else wrote in between, or owns the field: read again and decide anew.
        public static let conflict = Code("conflict")
        /// What was asked for is too old for the server to remember: list again.
        public static let expired = Code("expired")
        /// The server knows who we are, and we may not.
        public static let forbidden = Code("forbidden")
        /// The server doesn't know who we are.
        public static let unauthorized = Code("unauthorized")
        /// The object breaks the kind's rules.
        public static let invalid = Code("invalid")
        /// The server refused the call for another reason that won't go away.
        public static let refused = Code("refused")
        /// The server has too much to do.
        public static let tooManyRequests = Code("tooManyRequests")
        /// The server failed or isn't ready.
        public static let unavailable = Code("unavailable")
        /// No connection, or it broke.
        public static let unreachable = Code("unreachable")
        /// A time limit ran out.
        public static let timedOut = Code("timedOut")
        /// A certificate wasn't good, theirs or ours.
        public static let tls = Code("tls")
        /// Something other than the API server answered.
        public static let notKubernetes = Code("notKubernetes")
        /// The answer isn't what the API promises.
        public static let malformedAnswer = Code("malformedAnswer")
        /// What we were told to do can't be done: a name, a URL, a file, a program.
        public static let configuration = Code("configuration")
        /// Another became leader, or we could not prove in time that we still are.
        public static let leadershipLost = Code("leadershipLost")
        /// The task was cancelled.
        public static let cancelled = Code("cancelled")
    }

    /// What kind of failure.
    public var code: Code
    /// What was attempted on what, why it failed, and what to do: lower case, no secrets.
    public var message: String
    /// What the server said, if it was the API server.
    public var status: APIStatus?
    /// Whether trying the same call again can help.
    public var isTransient: Bool
    /// How long the server asked us to wait.
    public var retryAfter: Duration?
    /// The server can't have carried the call out: it never got it, or refused before it looked at it.
    var isSurelyUndone = false

    /// Makes an error.
    public init(
        _ code: Code,
        _ message: String,
        status: APIStatus? = nil,
        isTransient: Bool = false,
        retryAfter: Duration? = nil
    ) {
        self.code = code
        self.message = message
        self.status = status
        self.isTransient = isTransient
        self.retryAfter = retryAfter
        isSurelyUndone = code == .tooManyRequests
    }

    /// The sentence for people.
    public var description: String { message }

    /// There is no such object.
    public var isNotFound: Bool { code == .notFound }
    /// An object of that name is there already.
    public var isAlreadyExists: Bool { code == .alreadyExists }
    /// Somebody else wrote in between, or owns the field.
    public var isConflict: Bool { code == .conflict }
    /// The server doesn't remember that far back.
    public var isExpired: Bool { code == .expired }
    /// We may not.
    public var isForbidden: Bool { code == .forbidden }
    /// The server doesn't know who we are.
    public var isUnauthorized: Bool { code == .unauthorized }
    /// The object breaks the kind's rules.
    public var isInvalid: Bool { code == .invalid }
    /// The task was cancelled.
    public var isCancelled: Bool { code == .cancelled }
    /// The connection broke, or is as good as dead: no answer came.
    var isOfConnection: Bool { status == nil && (code == .timedOut || code == .unreachable) }
}
