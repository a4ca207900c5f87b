/// One call of the API, before it is known whether one try is enough.
struct Call: Sendable {
    /// What may happen when the server got the call twice.
    enum Repetition: Sendable {
        /// Nothing that the caller couldn't live with: try again after every transient failure.
        case harmless
        /// Something may be done twice: try again only where the server surely did nothing.
        case harmful
    }

    var method: String
    var path: String
    /// `get pod shop/mongo-0`: what was attempted, for messages.
    var summary: String
    var repetition: Repetition
    var contentType = "application/json"
    var accept = "application/json"
    var body: JSONTree?
    /// Nil: as configured.
    var timeout: Duration?
    /// Nil: as configured.
    var retry: RetryRules?
    /// Doesn't wait for its turn: for what must not be late, such as renewing a lease.
    var isUrgent = false
    /// Makes a connection of its own.
    ///
    /// All that are kept may have gone dead at once, without a word: each try over one of them would be in vain.
    var avoidsKeptConnections = false
    var largestAnswer = 32 << 20

    init(_ method: String, _ path: String, _ summary: String, _ repetition: Repetition) {
        self.method = method
        self.path = path
        self.summary = summary
        self.repetition = repetition
    }
}
