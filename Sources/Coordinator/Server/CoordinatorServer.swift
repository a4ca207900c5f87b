import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOSSL

/// What the servers of both modes have in common.
enum CoordinatorServer {
    /// HTTP with bounded headers, within TLS if there is a configuration of it.
    static func builder(_ tls: TLSConfiguration?) throws -> HTTPServerBuilder {
        let http = HTTPServerBuilder.http1(
            configuration: .init(
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 8 << 10,
                    maxHeaderListSize: 16 << 10,
                    maxHeaderFieldCount: 100
                )
            )
        )
        return try tls.map { try HTTPServerBuilder.tls(http, tlsConfiguration: $0) } ?? http
    }

    /// A logger that doesn't tell of every request.
    static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(.warning, logger.logLevel)
        return logger
    }

    /// TLS from PEM files.
    ///
    /// - Throws: ``CoordinatorError``.
    static func tls(certificate: String, key: String) throws -> TLSConfiguration {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
            guard !chain.isEmpty else { throw CoordinatorError(.configuration, "\(certificate) holds no certificate") }
            var result = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain,
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            )
            result.minimumTLSVersion = .tlsv12
            return result
        } catch let error as CoordinatorError {
            throw error
        } catch {
            throw CoordinatorError(
                .configuration,
                "TLS can't be set up with \(certificate) and \(key): \(error); both must be PEM files that can be read"
            )
        }
    }
}
