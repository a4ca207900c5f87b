import Foundation

/// An authority made for one test, and the certificates it signs.
public struct Certificates: Sendable {
    /// The authority's certificate (PEM).
    public let caFile: String
    /// Certificate and key of a server on 127.0.0.1 and localhost, in one file.
    public let serverFile: String
    /// The server's certificate alone.
    public let serverCertificateFile: String
    /// The server's key alone.
    public let serverKeyFile: String
    private let folder: String
    private let addresses: [String]
    private let names: [String]

    /// Makes an authority and a server's certificate in `directory`, which is good for these addresses and names too.
    public static func make(
        in directory: TestDirectory,
        addresses: [String] = [],
        names: [String] = []
    ) async throws -> Certificates {
        let folder = try directory.makeDirectory("certificates")
        let openssl = try Tools.openssl()
        try await Command(
            openssl,
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
                + ["-subj", "/O=Remora tests/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"],
            directory: folder
        ).run()
        let certificates = Certificates(folder: folder, addresses: addresses, names: names)
        try await certificates.sign("server", subject: "/O=Remora tests/OU=servers/CN=127.0.0.1")
        return certificates
    }

    private init(folder: String, addresses: [String], names: [String]) {
        self.folder = folder
        self.addresses = addresses
        self.names = names
        caFile = "\(folder)/ca.pem"
        serverFile = "\(folder)/server.pem"
        serverCertificateFile = "\(folder)/server.crt"
        serverKeyFile = "\(folder)/server.key"
    }

    /// Makes a client's certificate and key in one file; returns its path and the subject as MongoDB names its user.
    ///
    /// The subject differs from a server's in `OU`: MongoDB takes a certificate with the same `O` and `OU` as its own
    /// for another member of the cluster, and refuses a user of that name.
    public func makeClient(_ name: String) async throws -> (file: String, user: String) {
        try await sign(name, subject: "/O=Remora tests/OU=clients/CN=\(name)")
        return ("\(folder)/\(name).pem", "CN=\(name),OU=clients,O=Remora tests")
    }

    private func sign(_ name: String, subject: String) async throws {
        let openssl = try Tools.openssl()
        let names = (["127.0.0.1"] + addresses).map { "IP:\($0)" } + (["localhost"] + names).map { "DNS:\($0)" }
        let extensions =
            "subjectAltName=\(names.joined(separator: ","))\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=digitalSignature\n"
        try Data(extensions.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name).ext"))
        try await Command(
            openssl,
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject]
                + ["-keyout", "\(name).key", "-out", "\(name).csr"],
            directory: folder
        ).run()
        try await Command(
            openssl,
            ["x509", "-req", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
                + ["-days", "30", "-extfile", "\(name).ext", "-out", "\(name).crt"],
            directory: folder
        ).run()
        var both = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).crt"))
        both.append(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).key")))
        let path = "\(folder)/\(name).pem"
        guard
            FileManager.default.createFile(atPath: path, contents: both, attributes: [.posixPermissions: 0o600])
        else {
            throw TestSupportError("cannot write \(path)")
        }
    }
}
