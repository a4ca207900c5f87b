import Foundation
import NIOSSL
import Synchronization
import TestSupport

/// The authority and certificate that all fake API servers of this process begin with; made once.
actor Authority {
    static let shared = Authority()

    /// What a server needs to listen, and its clients to trust it and to be known by it.
    struct Material: Sendable {
        var authority: String
        var certificate: [NIOSSLCertificate]
        var key: NIOSSLPrivateKey
        /// A client's certificate of the same authority, and its key (PEM).
        var clientCertificate: String
        var clientKey: String
    }

    /// A name that servers' certificates are good for, besides their address.
    static let serverName = "kubernetes.default.svc"

    private var task: Task<Material, any Error>?

    func material() async throws -> Material {
        let task = self.task ?? Task { try await Self.make() }
        self.task = task
        return try await task.value
    }

    /// A new authority and what it signed.
    static func make() async throws -> Material {
        try await withTestDirectory("authority") { directory in
            let files = try await Certificates.make(in: directory, names: [serverName])
            let client = try await files.makeClient("client").file
            let text = try String(contentsOfFile: client, encoding: .utf8)
            let end = "-----END CERTIFICATE-----\n"
            guard let cut = text.range(of: end)?.upperBound else {
                throw FakeAPIServerError("the client's certificate isn't PEM")
            }
            return Material(
                authority: try String(contentsOfFile: files.caFile, encoding: .utf8),
                certificate: try NIOSSLCertificate.fromPEMFile(files.serverCertificateFile),
                key: try NIOSSLPrivateKey(file: files.serverKeyFile, format: .pem),
                clientCertificate: String(text[..<cut]),
                clientKey: String(text[cut...])
            )
        }
    }
}

/// What a server shows its clients at the moment, and which of them it knows by their certificates.
final class ServerTLS: Sendable {
    private struct State {
        var material: Authority.Material
        var context: NIOSSLContext
        var clients: [[UInt8]: Identity] = [:]
    }

    private let offersHTTP2: Bool
    private let state: Mutex<State>

    init(_ material: Authority.Material, offersHTTP2: Bool) throws {
        self.offersHTTP2 = offersHTTP2
        state = Mutex(State(material: material, context: try Self.context(material, offersHTTP2)))
    }

    /// For the next connection.
    var context: NIOSSLContext { state.withLock { $0.context } }
    var authority: String { state.withLock { $0.material.authority } }

    /// Shows another certificate from now on; connections that are open stay.
    func replace(by material: Authority.Material) throws {
        let context = try Self.context(material, offersHTTP2)
        state.withLock { state in
            state.material = material
            state.context = context
        }
    }

    /// A certificate and its key (PEM) by which the client is known as `identity`.
    func clientCertificate(for identity: Identity) throws -> (certificate: String, key: String) {
        let material = state.withLock { $0.material }
        let bytes = try NIOSSLCertificate(bytes: Array(material.clientCertificate.utf8), format: .pem).toDERBytes()
        state.withLock { $0.clients[bytes] = identity }
        return (material.clientCertificate, material.clientKey)
    }

    func client(_ certificate: NIOSSLCertificate) -> Identity? {
        guard let bytes = try? certificate.toDERBytes() else { return nil }
        return state.withLock { $0.clients[bytes] }
    }

    private static func context(_ material: Authority.Material, _ offersHTTP2: Bool) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: material.certificate.map { .certificate($0) },
            privateKey: .privateKey(material.key)
        )
        configuration.applicationProtocols = offersHTTP2 ? ["h2", "http/1.1"] : ["http/1.1"]
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(material.authority.utf8)))
        configuration.certificateVerification = .optionalVerification
        return try NIOSSLContext(configuration: configuration)
    }
}
