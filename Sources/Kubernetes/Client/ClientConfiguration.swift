/// How to reach an API server, and as whom.
public struct ClientConfiguration: Sendable {
    /// `https://host:port`, with a path in front of the API if there is one, without a slash at the end.
    public var server: String
    /// The namespace to use when a person names none.
    public var namespace: String
    /// What to show the server.
    public var access: any AccessSource
    /// The name that the server's certificate must have, when it isn't the host's.
    public var tlsServerName: String?
    /// Accept any certificate, for people who asked for it.
    public var insecureTLS: Bool
    /// `http://`, `https://` or `socks5://` proxy to go through.
    public var proxy: String?
    /// What we call ourselves; the API server's priority rules and its audit log know us by it.
    public var userAgent: String
    /// How long a call may take, a watch's excepted.
    public var callTimeout: Duration
    /// Most calls a second, lasting.
    public var callsPerSecond: Double
    /// Most calls at once after a quiet time.
    public var burst: Int
    /// How often and how long calls are tried again.
    public var retry: RetryRules
    /// Told before each pause what failed and when the next try comes, for the log.
    public var onRetry: @Sendable (String) -> Void

    /// Makes a configuration; the defaults suit a controller.
    public init(
        server: String,
        namespace: String = "default",
        access: any AccessSource = FixedAccess(Access()),
        tlsServerName: String? = nil,
        insecureTLS: Bool = false,
        proxy: String? = nil,
        userAgent: String = "remora",
        callTimeout: Duration = .seconds(30),
        callsPerSecond: Double = 20,
        burst: Int = 40,
        retry: RetryRules = RetryRules(),
        onRetry: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.server = server
        self.namespace = namespace
        self.access = access
        self.tlsServerName = tlsServerName
        self.insecureTLS = insecureTLS
        self.proxy = proxy
        self.userAgent = userAgent
        self.callTimeout = callTimeout
        self.callsPerSecond = callsPerSecond
        self.burst = burst
        self.retry = retry
        self.onRetry = onRetry
    }
}

/// How often and how long to try again.
public struct RetryRules: Sendable {
    /// The most tries, the first one included.
    public var attempts: Int
    /// The longest pause before the second try; each further one may be twice as long.
    public var firstDelay: Duration
    /// The longest pause, unless the server asks for more.
    public var longestDelay: Duration
    /// No try begins later than this after the first one did.
    public var totalTime: Duration

    /// Makes rules; the default rides out a restart of the API server.
    public init(
        attempts: Int = 6,
        firstDelay: Duration = .seconds(1),
        longestDelay: Duration = .seconds(30),
        totalTime: Duration = .seconds(120)
    ) {
        self.attempts = attempts
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
        self.totalTime = totalTime
    }

    /// One try, for callers with a loop of their own.
    public static let never = RetryRules(attempts: 1)
}
