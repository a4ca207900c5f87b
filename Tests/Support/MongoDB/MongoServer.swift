import Foundation

/// How a `mongod` is started.
public struct MongoOptions: Sendable {
    /// Asks for log-ins; `MongoServer.start` and `ReplicaSet.start` create `MongoUser.admin` and `.remora`.
    public var isAuthenticated = false
    /// TLS for every connection, with these certificates; clients need none of their own unless they log in with it.
    public var certificates: Certificates?
    /// WiredTiger's cache; the least that the server takes is 0.25.
    public var cacheGB = 0.25
    /// Size of the oplog of a set's member in megabytes; 990 is the server's smallest own choice.
    public var oplogMB = 128
    /// `--setParameter`s, laid over the rig's own.
    public var parameters: [String: String] = [:]
    /// Where it is.
    public var place = MongoPlace()
    /// More arguments, as they are.
    public var arguments: [String] = []

    /// The defaults: no log-in, no TLS.
    public init() {}

    /// With log-ins.
    public static var authenticated: MongoOptions {
        var options = MongoOptions()
        options.isAuthenticated = true
        return options
    }
}

/// Where a server is: on loopback, unless a test cuts its network.
public struct MongoPlace: Sendable {
    /// The address that other members know it by; besides, it always listens on its own loopback.
    public var host = "127.0.0.1"
    /// The address by which tests reach it, which no cut of theirs concerns.
    public var testHost = "127.0.0.1"
    /// The network it runs in; nil is this host's.
    public var network: NetworkNamespace?

    /// On loopback.
    public init() {}
}

/// One real `mongod` on loopback: a standalone, or a member of a `ReplicaSet`.
public final class MongoServer: Sendable {
    /// Where it listens.
    public let port: UInt16
    /// Its data directory.
    public let dataPath: String
    /// The process, with its log.
    public let server: Server
    /// How it was started.
    public let options: MongoOptions
    private let keyFile: String?

    /// Its address as sets and clients write it.
    public var address: String { "\(options.place.host):\(port)" }

    init(name: String, replicaSet: String?, options: MongoOptions, keyFile: String?, directory: TestDirectory) throws {
        port = try Ports.free()
        dataPath = try directory.makeDirectory("\(name)-\(port)")
        self.options = options
        self.keyFile = keyFile

        let addresses = options.place.network?.addresses ?? [options.place.host].filter { $0 != "127.0.0.1" }
        var arguments = [
            "--dbpath", dataPath, "--port", "\(port)", "--nounixsocket",
            "--bind_ip", (["127.0.0.1"] + addresses).joined(separator: ","),
            "--wiredTigerCacheSizeGB", "\(options.cacheGB)",
        ]
        if let replicaSet { arguments += ["--replSet", replicaSet, "--oplogSize", "\(options.oplogMB)"] }
        if let keyFile {
            arguments += ["--keyFile", keyFile]
        } else if options.isAuthenticated {
            arguments.append("--auth")
        }
        if let certificates = options.certificates {
            arguments += ["--tlsMode", "requireTLS", "--tlsCAFile", certificates.caFile]
            arguments += [
                "--tlsCertificateKeyFile", certificates.serverFile, "--tlsAllowConnectionsWithoutCertificates",
            ]
        }
        // A clean stop of a primary otherwise waits 15 s for its clients to go; statistics nobody reads cost time, and so
        // does hashing a password more often than the least that is allowed.
        let parameters = [
            "shutdownTimeoutMillisForSignaledShutdown": "100", "diagnosticDataCollectionEnabled": "false",
            "scramIterationCount": "5000", "scramSHA256IterationCount": "5000",
        ].merging(options.parameters) { $1 }
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) {
            arguments += ["--setParameter", "\(name)=\(value)"]
        }
        let mongod = (program: try Tools.mongod(), arguments: arguments + options.arguments)
        let (program, all) = try options.place.network?.command(mongod.program, mongod.arguments) ?? mongod
        server = Server(
            name,
            program: program,
            arguments: all,
            logPath: directory.appending("\(name)-\(port).log")
        )
    }

    /// Starts a standalone with its data in `directory`.
    ///
    /// With `isAuthenticated` the users exist when this returns. It ends with the test process, or by `server.kill()`.
    public static func start(_ options: MongoOptions = MongoOptions(), in directory: TestDirectory) async throws
        -> MongoServer
    {
        let mongo = try MongoServer(
            name: "mongod",
            replicaSet: nil,
            options: options,
            keyFile: nil,
            directory: directory
        )
        try await mongo.start()
        if options.isAuthenticated {
            // The localhost exception lets the first user be created; the others are made by that one.
            try await mongo.client(as: nil).command(MongoUser.adminCommand)
            try await mongo.makeRemoraUser()
        }
        return mongo
    }

    func makeRemoraUser() async throws {
        let admin = try client()
        try await admin.command(MongoUser.remoraRoleCommand)
        try await admin.command(MongoUser.remoraCommand)
    }

    /// Starts the process (again) and waits until it answers.
    public func start() async throws {
        try await server.launch()
        try await server.waitUntilReady {
            guard options.place.network != nil || Ports.accepts(port) else { return false }
            try await client(as: nil).command(#"{"hello": 1}"#)
            return true
        }
    }

    /// A clean stop (SIGTERM).
    public func stop() async {
        await server.stop()
    }

    /// A crash (SIGKILL).
    public func kill() async {
        await server.kill()
    }

    /// Stops and starts it on the same port and data.
    public func restart() async throws {
        await stop()
        try await start()
    }

    /// A connection string for this very server.
    ///
    /// - Parameter user: who logs in; `nil` is nobody. On a server without log-ins it is ignored.
    /// - Returns: the string, secrets included: not for argument lists or logs.
    public func uri(as user: MongoUser? = .admin) -> String {
        connectionString(
            hosts: "\(options.place.testHost):\(port)",
            user: user,
            options: ["directConnection=true"],
            server: options
        )
    }

    /// A client of this very server.
    public func client(as user: MongoUser? = .admin) throws -> MongoClient {
        try MongoClient(uri(as: user))
    }

    /// Whether it says that somebody holds it with fsyncLock.
    public func isLocked() async throws -> Bool {
        try await client().command(#"{"currentOp": 1}"#)["fsyncLock"]?.bool == true
    }

    /// What it says about itself.
    public func hello() async throws -> TestDocument {
        try await client(as: nil).command(#"{"hello": 1}"#)
    }
}

/// A connection string out of its parts.
func connectionString(hosts: String, user: MongoUser?, options: [String], server: MongoOptions) -> String {
    var options = options + ["serverSelectionTimeoutMS=5000", "connectTimeoutMS=5000"]
    var login = ""
    if server.isAuthenticated, let user {
        let parts = user.uriParts()
        login = parts.login
        options += parts.options
    }
    if let certificates = server.certificates { options += ["tls=true", "tlsCAFile=\(certificates.caFile)"] }
    return "mongodb://\(login)\(hosts)/?\(options.joined(separator: "&"))"
}
