import Foundation
import NIOSSL
import TestSupport

/// The authority and certificate that all fake API servers of this process use; made once.
actor Authority {
    static let shared = Authority()

    /// What a server needs to listen, and its clients to trust it.
    struct Material: Sendable {
        var authority: String
        var certificate: [NIOSSLCertificate]
        var key: NIOSSLPrivateKey
    }

    private var task: Task<Material, any Error>?

    func material() async throws -> Material {
        let task =
            self.task
            ?? Task {
                try await withTestDirectory("authority") { directory in
                    let files = try await Certificates.make(in: directory)
                    return Material(
                        authority: try String(contentsOfFile: files.caFile, encoding: .utf8),
                        certificate: try NIOSSLCertificate.fromPEMFile(files.serverCertificateFile),
                        key: try NIOSSLPrivateKey(file: files.serverKeyFile, format: .pem)
                    )
                }
            }
        self.task = task
        return try await task.value
    }
}
