/// How a client connects; the same for all its requests.
public struct HTTPClientConfiguration: Sendable {
    /// Which certificate authorities are trusted.
    public enum Trust: Sendable {
        /// Those of the system.
        case system
        /// Those of the system and those in this PEM text.
        case systemAnd(pem: [UInt8])
        /// Only those in this PEM file, which is read for every new connection.
        case file(String)
        /// Only those in this PEM text.
        case pem([UInt8])
    }

    /// Which certificate authorities are trusted; the system's unless told otherwise.
    public var trust: Trust
    /// Accept any certificate: for tests, and for people who asked for it.
    public var insecureTLS: Bool
    /// PEM file with our certificate and its chain, for servers that ask for one.
    public var clientCertificateFile: String?
    /// PEM file with the private key to `clientCertificateFile`.
    public var clientKeyFile: String?
    /// The same as `clientCertificateFile` as PEM text; wins over the file.
    public var clientCertificatePEM: [UInt8]?
    /// The private key to `clientCertificatePEM`, as PEM text; nil when it is in the same text.
    public var clientKeyPEM: [UInt8]?
    /// The name that servers' certificates must have, and that is told to servers, when it isn't the URL's host.
    ///
    /// For a server that is reached by another address than it has a certificate for.
    public var serverName: String?
    /// The proxy to go through, like `http://host:port` or `socks5h://host:port`; nil for what the environment says.
    public var proxy: String?
    /// What we call ourselves.
    public var userAgent: String
    /// Most connections at once to one host; further requests wait for one.
    ///
    /// A waiting long poll holds one.
    public var maxConnections: Int
    /// How long connecting may take, name look-up and TLS handshake included.
    public var connectTimeout: Duration
    /// Speak HTTP/2 with servers that offer it: only for tests of servers.
    ///
    /// Nothing of ours does: with libcurl 7.88 a connection that has gone dead without a word is kept for further calls as
    /// long as the kernel keeps it, and a stream that is given up on a connection without others isn't reset, so that the
    /// server goes on sending (docs/explanation/cluster-mode.md has the measurements).
    package var usesHTTP2 = false

    /// Makes a configuration; the defaults suit a server with a public certificate.
    public init(
        trust: Trust = .system,
        insecureTLS: Bool = false,
        clientCertificateFile: String? = nil,
        clientKeyFile: String? = nil,
        clientCertificatePEM: [UInt8]? = nil,
        clientKeyPEM: [UInt8]? = nil,
        serverName: String? = nil,
        proxy: String? = nil,
        userAgent: String = "remora",
        maxConnections: Int = 32,
        connectTimeout: Duration = .seconds(10)
    ) {
        self.trust = trust
        self.insecureTLS = insecureTLS
        self.clientCertificateFile = clientCertificateFile
        self.clientKeyFile = clientKeyFile
        self.clientCertificatePEM = clientCertificatePEM
        self.clientKeyPEM = clientKeyPEM
        self.serverName = serverName
        self.proxy = proxy
        self.userAgent = userAgent
        self.maxConnections = maxConnections
        self.connectTimeout = connectTimeout
    }

    /// Makes a configuration that trusts only the given authority, or the system's if neither is given.
    ///
    /// - Parameters:
    ///   - caFile: PEM file.
    ///   - caPEM: PEM text; wins over `caFile`.
    ///   - insecureTLS: accept any certificate.
    public init(caFile: String?, caPEM: [UInt8]? = nil, insecureTLS: Bool = false) {
        self.init(insecureTLS: insecureTLS)
        if let caPEM {
            trust = .pem(caPEM)
        } else if let caFile {
            trust = .file(caFile)
        }
    }
}
