import HTTPClient
import Synchronization

/// Calls an API server.
///
/// Calls that fail are tried again when that can help and can't do harm; see ``RetryRules``. Cancelling the task breaks a
/// call off, which then throws `.cancelled`.
public final class KubernetesClient: Sendable {
    /// How it was configured.
    public let configuration: ClientConfiguration
    /// Its time and chance.
    public let time: TimeSource
    let rate: RateLimit
    private let transport = Mutex<(access: Access, client: HTTPClient)?>(nil)

    /// Makes a client; nothing is connected yet.
    public init(_ configuration: ClientConfiguration, time: TimeSource = .system) {
        self.configuration = configuration
        self.time = time
        rate = RateLimit(perSecond: configuration.callsPerSecond, burst: configuration.burst, time: time)
    }

    /// The namespace to use when a person names none.
    public var defaultNamespace: String { configuration.namespace }

    /// The connections that suit `access`: the ones there are, unless certificates changed.
    func transport(for access: Access) -> HTTPClient {
        transport.withLock { transport in
            if let transport, transport.access.sharesConnections(with: access) { return transport.client }
            let client = HTTPClient(
                HTTPClientConfiguration(
                    trust: access.trust,
                    insecureTLS: configuration.insecureTLS,
                    clientCertificatePEM: access.certificate,
                    clientKeyPEM: access.key,
                    serverName: configuration.tlsServerName,
                    proxy: configuration.proxy,
                    userAgent: configuration.userAgent
                )
            )
            // Calls on their way hold the old one until they are done.
            transport = (access, client)
            return client
        }
    }
}
