public import HTTPClient

/// What a request shows, and whom it trusts, at one moment.
public struct Access: Sendable {
    /// The whole value of the `Authorization` field, like `Bearer …`; nil to send none.
    public var authorization: String?
    /// Which authorities the server's certificate may come from.
    public var trust: HTTPClientConfiguration.Trust
    /// Our own certificate and its chain (PEM), for servers that know us by it.
    public var certificate: [UInt8]?
    /// The key to it (PEM).
    public var key: [UInt8]?

    /// Makes one.
    public init(
        authorization: String? = nil,
        trust: HTTPClientConfiguration.Trust = .system,
        certificate: [UInt8]? = nil,
        key: [UInt8]? = nil
    ) {
        self.authorization = authorization
        self.trust = trust
        self.certificate = certificate
        self.key = key
    }

    /// Whether connections made for one serve the other.
    func sharesConnections(with other: Access) -> Bool {
        certificate == other.certificate && key == other.key && Self.isSame(trust, other.trust)
    }

    private static func isSame(_ left: HTTPClientConfiguration.Trust, _ right: HTTPClientConfiguration.Trust) -> Bool {
        switch (left, right) {
        case (.system, .system): true
        case (.systemAnd(let left), .systemAnd(let right)), (.pem(let left), .pem(let right)): left == right
        case (.file(let left), .file(let right)): left == right
        default: false
        }
    }
}

/// Knows what to show the API server: a token that is read again and again, a program that makes one, a certificate.
public protocol AccessSource: Sendable {
    /// What to show now; called before every request, so it keeps what it has.
    func access() async throws(KubernetesError) -> Access

    /// Called after the server answered 401: what was kept isn't good any more.
    func forget() async
}

/// Access that never changes.
public struct FixedAccess: AccessSource {
    private let fixed: Access

    /// Makes a source that always gives `access`.
    public init(_ access: Access) { fixed = access }

    /// The same as ever.
    public func access() -> Access { fixed }

    /// Does nothing: there is no other.
    public func forget() {}
}
