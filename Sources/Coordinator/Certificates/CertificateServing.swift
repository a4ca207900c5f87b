import NIOCore
import NIOSSL
import Synchronization

/// The certificate in use: every new connection gets the newest, and none is ended by a change.
public final class CertificateServing: Sendable {
    private struct State {
        var override: NIOSSLContextConfigurationOverride?
        var generation = 0
    }

    private let state = Mutex(State())

    init() {}

    /// How often the certificate was changed.
    var generation: Int { state.withLock { $0.generation } }

    /// Serves another certificate from now on.
    ///
    /// - Throws: ``CertificateError`` when it can't be used; then the one from before stays.
    func serve(_ certificate: ServedCertificate) throws(CertificateError) {
        do {
            var override = NIOSSLContextConfigurationOverride()
            override.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.chain.utf8))
                .map { .certificate($0) }
            override.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(certificate.key.utf8), format: .pem))
            let usable = override
            state.withLock { state in
                state.override = usable
                state.generation += 1
            }
        } catch {
            throw CertificateError("can't serve the certificate: \(error)")
        }
    }

    /// How a server is to speak TLS with it; nil while there is no certificate.
    func configuration() -> TLSConfiguration? {
        guard let current = state.withLock({ $0.override }), let chain = current.certificateChain,
            let key = current.privateKey
        else { return nil }
        var configuration = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
        configuration.minimumTLSVersion = .tlsv12
        configuration.sslContextCallback = { [weak self] _, promise in
            promise.succeed(self?.state.withLock { $0.override } ?? .noChanges)
        }
        return configuration
    }
}
