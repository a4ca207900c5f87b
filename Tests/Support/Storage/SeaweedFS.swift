import Foundation

/// A real S3 server on loopback: checks signatures, knows multipart, conditional writes, versions and object lock.
public final class SeaweedFS: Sendable {
    /// Port of plain HTTP.
    public let port: UInt16
    /// Port of HTTPS; `nil` without certificates.
    public let tlsPort: UInt16?
    /// The authority that signed the server's certificate.
    public let caFile: String?
    /// The process, with its log.
    public let server: Server
    private let filerPort: UInt16

    /// An access key that may do everything.
    public static let accessKeyID = "AKADMIN"
    /// Its secret.
    public static let secretAccessKey = "adminsecret0123456789"
    /// An access key that may only read and list.
    public static let readOnlyAccessKeyID = "AKREADONLY"
    /// Its secret.
    public static let readOnlySecretAccessKey = "readonlysecret0123456789"

    /// Where clients connect.
    public var endpoint: String { "http://127.0.0.1:\(port)" }
    /// Where clients connect with TLS.
    public var tlsEndpoint: String? { tlsPort.map { "https://127.0.0.1:\($0)" } }
    /// The admin's keys, as restic and AWS's own tools read them.
    public var environment: [String: String] {
        ["AWS_ACCESS_KEY_ID": Self.accessKeyID, "AWS_SECRET_ACCESS_KEY": Self.secretAccessKey]
    }

    /// Starts a server with its data in `directory`; with certificates it also speaks HTTPS, and with another `host` it
    /// is reached there too.
    public static func start(
        in directory: TestDirectory,
        certificates: Certificates? = nil,
        host: String = "127.0.0.1"
    ) async throws -> SeaweedFS {
        let seaweed = try SeaweedFS(directory, certificates, host)
        try await seaweed.start()
        return seaweed
    }

    private init(_ directory: TestDirectory, _ certificates: Certificates?, _ host: String) throws {
        // Each of its parts also listens for gRPC on its own port + 10000.
        let (master, volume) = (try Ports.free(shadow: 10_000), try Ports.free(shadow: 10_000))
        filerPort = try Ports.free(shadow: 10_000)
        port = try Ports.free(shadow: 10_000)
        tlsPort = try certificates == nil ? nil : Ports.free()
        caFile = certificates?.caFile
        let data = try directory.makeDirectory("seaweedfs-\(port)")
        for (part, port) in [("master", master), ("volume", volume), ("filer", filerPort), ("s3", port)] {
            directory.adopt("/tmp/seaweedfs-\(part)-grpc-\(port + 10_000).sock")
        }
        let identities = try directory.write(
            """
            {"identities": [
              {"name": "admin", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
               "credentials": [{"accessKey": "\(Self.accessKeyID)", "secretKey": "\(Self.secretAccessKey)"}]},
              {"name": "reader", "actions": ["Read", "List"], "credentials":
               [{"accessKey": "\(Self.readOnlyAccessKeyID)", "secretKey": "\(Self.readOnlySecretAccessKey)"}]}]}
            """,
            to: "seaweedfs-\(port).json"
        )
        var arguments = [
            // By default log files and sockets go to /tmp, and stay there.
            "-logtostderr=true", "server", "-filer.localSocket=\(data)/filer.sock",
            "-s3.localSocket=\(data)/s3.sock", "-dir=\(data)", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-master.port=\(master)", "-master.telemetry=false", "-master.electionTimeout=1s",
            "-master.volumeSizeLimitMB=64",
            "-volume.port=\(volume)", "-volume.max=2000", "-volume.preStopSeconds=0",
            "-filer", "-filer.port=\(filerPort)",
            "-s3", "-s3.port=\(port)", "-s3.config=\(identities)", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false",
        ]
        if host != "127.0.0.1" { arguments.append("-s3.ip.bind=0.0.0.0") }
        if let certificates, let tlsPort {
            arguments += ["-s3.port.https=\(tlsPort)", "-s3.cert.file=\(certificates.serverCertificateFile)"]
            arguments.append("-s3.key.file=\(certificates.serverKeyFile)")
        }
        server = Server(
            "seaweedfs",
            program: try Tools.weed(),
            arguments: arguments,
            environment: [
                // Otherwise each bucket takes seven volumes, until there are no more and every put answers 500.
                "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1", "WEED_MASTER_VOLUME_GROWTH_COPY_OTHER": "1",
                "WEED_S3_SSE_KEY": "any-secret", "GOMEMLIMIT": "300MiB", "HOME": data,
            ],
            directory: data,
            logPath: directory.appending("seaweedfs-\(port).log")
        )
    }

    /// Starts the process (again) and waits until it stores and returns an object.
    public func start() async throws {
        try await server.launch()
        try await server.waitUntilReady {
            guard Ports.accepts(port), Ports.accepts(filerPort) else { return false }
            // Answers 200 only when the master, a volume and the filer have found each other.
            guard try await filer("PUT", "/ready", body: "ready") == 201 else { return false }
            return try await filer("GET", "/ready") == 200
        }
    }

    /// Makes a bucket; three characters or more.
    public func makeBucket(_ name: String) async throws {
        let status = try await filer("POST", "/buckets/\(name)/")
        guard status == 201 || status == 200 else {
            throw TestSupportError(
                "SeaweedFS answered \(status) when asked for the bucket \(name)\n\(server.logTail())"
            )
        }
    }

    /// A clean stop takes it 10 s and more, so this is a crash: acknowledged objects survive it.
    public func kill() async {
        await server.kill()
    }

    private func filer(_ method: String, _ path: String, body: String = "") async throws -> Int {
        try await PlainHTTP.status(method, path, port: filerPort, body: body)
    }
}
