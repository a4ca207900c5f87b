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
    }
}
