/// What went wrong between us and a MongoDB server.
public struct MongoError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Where it went wrong.
    public enum Kind: String, Sendable, Hashable {
        /// The server answered with an error: `code` is the server's.
        case server
        /// No server answered at the address, or TLS could not be agreed upon.
        case unreachable
        /// The server doesn't know us by these credentials.
        case authentication
        /// The connection broke while a command was on its way: it may or may not have been carried out.
        case connection
        /// The configuration can't work.
        case configuration
        /// The reply isn't what the protocol promises.
        case badReply
    }

    /// Where it went wrong.
    public var kind: Kind
    /// The server's error number, or 0.
    public var code: Int32
    /// The server's name for that number.
    public var codeName: String?
    /// What it said; never holds a secret.
    public var message: String
    /// Labels like `TransientTransactionError`.
    public var labels: [String]

    /// Makes an error.
    public init(
        _ kind: Kind,
        code: Int32 = 0,
        codeName: String? = nil,
        _ message: String,
        labels: [String] = []
    ) {
        self.kind = kind
        self.code = code
        self.codeName = codeName
        self.message = message
        self.labels = labels
    }

    /// The message with the server's code.
    public var description: String {
        guard kind == .server else { return message }
        return "\(message) (\(codeName ?? "code") \(code))"
    }

    /// Numbers that Remora decides by.
    public enum ServerCode {
        /// The user lacks a privilege.
        public static let unauthorized: Int32 = 13
        /// Credentials are wrong.
        public static let authenticationFailed: Int32 = 18
        /// No such database or collection.
        public static let namespaceNotFound: Int32 = 26
        /// No such cursor any more.
        public static let cursorNotFound: Int32 = 43
        /// `maxTimeMS` is over.
        public static let maxTimeExpired: Int32 = 50
        /// The plan died with its collection.
        public static let queryPlanKilled: Int32 = 175
        /// The operation was interrupted by a role change.
        public static let interruptedByStateChange: Int32 = 11602
        /// A record to resume after isn't there.
        public static let keyNotFound: Int32 = 211
        /// History that was asked for is no longer kept.
        public static let snapshotTooOld: Int32 = 239
        /// The collection can't be read at the point that was asked for.
        public static let snapshotUnavailable: Int32 = 246
        /// The oplog has rolled over a capped cursor's place.
        public static let cappedPositionLost: Int32 = 136
        /// The storage engine has no room for a change now; nothing was changed.
        public static let temporarilyUnavailable: Int32 = 365
        /// The cache has no room for a change: one document of 16 MB is too much for a small cache that others fill.
        ///
        /// The server's own advice is not to try again, which is right for what never fits; while others write it does
        /// fit a moment later (observed on 6.0.5 with a cache of 256 MB).
        public static let transactionTooLargeForCache: Int32 = 388
    }

    /// Whether the server took nothing because its cache was full just then.
    var isCachePressure: Bool { kind == .server && Self.isCachePressure(code: code) }

    /// A server whose cache is full is asked this often; the pauses between come to about a minute.
    static let pressedAttempts = 12

    /// Lets the server write its cache out before attempt `attempt` + 1: 0.2 s at first, 8 s at most.
    static func waitForRoom(_ attempt: Int) async throws {
        try await Task.sleep(for: .milliseconds(min(8_000, 100 << attempt)))
    }

    /// The same for the number of a write error.
    static func isCachePressure(code: Int32) -> Bool {
        [ServerCode.temporarilyUnavailable, ServerCode.transactionTooLargeForCache].contains(code)
    }
}
