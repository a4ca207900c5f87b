/// A value that must not show in a log, an error or a dump of variables.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The value itself; hand it on only to what needs it.
    public let value: String

    /// Wraps a value.
    public init(_ value: String) { self.value = value }

    /// Never the value.
    public var description: String { "(secret)" }
    /// Never the value.
    public var debugDescription: String { "(secret)" }
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// How to reach and open one MongoDB member.
public struct MongoDBConfiguration: Sendable, Hashable {
    /// Transport encryption; its presence turns TLS on.
    public struct TLS: Sendable, Hashable {
        /// File of certificate authorities (PEM) instead of the system's.
        public var caFile: String?
        /// File with certificate and key (PEM) that identify us: X.509 or mutual TLS.
        public var certificateKeyFile: String?
        /// Opens the key in `certificateKeyFile`.
        public var certificateKeyPassword: Secret?
        /// Accept any certificate: for tests only.
        public var allowInvalidCertificates: Bool
        /// Accept a certificate for another host name, as sidecars on localhost need.
        public var allowInvalidHostnames: Bool

        /// Makes options; the default checks against the system's authorities.
        public init(
            caFile: String? = nil,
            certificateKeyFile: String? = nil,
            certificateKeyPassword: Secret? = nil,
            allowInvalidCertificates: Bool = false,
            allowInvalidHostnames: Bool = false
        ) {
            self.caFile = caFile
            self.certificateKeyFile = certificateKeyFile
            self.certificateKeyPassword = certificateKeyPassword
            self.allowInvalidCertificates = allowInvalidCertificates
            self.allowInvalidHostnames = allowInvalidHostnames
        }
    }

    /// Connection string, like `mongodb://127.0.0.1:27017`; no secrets are needed in it.
    public var uri: String
    /// User name; nil without authentication, and for X.509 where the certificate names the user.
    public var username: String?
    /// Password of that user.
    public var password: Secret?
    /// File with the user's name, read for every new connection so that it can be changed; `username` while it can't be
    /// read.
    public var usernameFile: String?
    /// File with the password, likewise.
    public var passwordFile: String?
    /// File with a connection string whose user counts, likewise; its hosts don't.
    public var credentialsURIFile: String?
    /// Database that knows the user; `admin` unless said otherwise.
    public var authSource: String?
    /// `SCRAM-SHA-1`, `SCRAM-SHA-256` or `MONGODB-X509`; nil lets client and server agree.
    public var authMechanism: String?
    /// Transport encryption.
    public var tls: TLS?
    /// How the server's log and `currentOp` name us.
    public var appName: String
    /// Directory for durable notes of what must be undone after a crash.
    public var stateDirectory: String
    /// Milliseconds to wait for a connection.
    public var connectTimeoutMilliseconds: Int32
    /// Milliseconds to wait for the next byte of a reply.
    public var socketTimeoutMilliseconds: Int32
    /// What the buffers of a job may take.
    public var memory = MemoryBudget()

    /// Makes a configuration.
    public init(
        uri: String,
        username: String? = nil,
        password: Secret? = nil,
        authSource: String? = nil,
        authMechanism: String? = nil,
        tls: TLS? = nil,
        appName: String = "remora",
        stateDirectory: String = "/var/lib/remora",
        connectTimeoutMilliseconds: Int32 = 5_000,
        socketTimeoutMilliseconds: Int32 = 300_000
    ) {
        self.uri = uri
        self.username = username
        self.password = password
        self.authSource = authSource
        self.authMechanism = authMechanism
        self.tls = tls
        self.appName = appName
        self.stateDirectory = stateDirectory
        self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
        self.socketTimeoutMilliseconds = socketTimeoutMilliseconds
    }
}
