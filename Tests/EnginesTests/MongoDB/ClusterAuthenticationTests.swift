import BSON
import BackupModel
import Repository
import TestSupport
import Testing

@testable import Engines

/// Every way to log in, on every group of a cluster, by a user who may do what the manual page says and no more.
@Suite("MongoDB cluster log-ins", .serialized, .timeLimit(.minutes(10)))
struct ClusterAuthenticationTests {
    enum LogIn: String, CaseIterable, CustomTestStringConvertible {
        case none, scramSHA1, scramSHA256, scramOverTLS, x509

        var testDescription: String { rawValue }
        var usesTLS: Bool { self == .scramOverTLS || self == .x509 }
        var mechanism: String? {
            switch self {
            case .none: nil
            case .scramSHA1: "SCRAM-SHA-1"
            case .scramSHA256, .scramOverTLS: "SCRAM-SHA-256"
            case .x509: "MONGODB-X509"
            }
        }
    }

    /// All that means something in a connection string, a shell or JSON.
    private static let password = #"p@:/?#%"\ w ö'$&+rd"#

    @Test("a cluster is backed up to one cut, with the documented privileges", arguments: LogIn.allCases)
    func logIn(_ kind: LogIn) async throws {
        try await withTestDirectory("cluster-login") { directory in
            var options = ShardedClusterOptions(shards: 1, isAuthenticated: kind != .none)
            let certificates = kind.usesTLS ? try await Certificates.make(in: directory) : nil
            options.mongo.certificates = certificates
            options.mongo.parameters["authenticationMechanisms"] = "SCRAM-SHA-1,SCRAM-SHA-256,MONGODB-X509"
            let cluster = try await ShardedCluster.start(options, in: directory)
            try await cluster.createDatabase("shop", primary: "rsA")
            try await cluster.shardClient("rsA").command(
                #"{"insert": "orders", "documents": [{"_id": 1}, {"_id": 2}]}"#,
                on: "shop"
            )
            var configuration = MongoDBConfiguration(uri: "")
            configuration.authMechanism = kind.mechanism
            if let certificates { configuration.tls = MongoDBConfiguration.TLS(caFile: certificates.caFile) }
            if kind == .x509, let certificates {
                let (file, user) = try await certificates.makeClient("agent")
                configuration.tls?.certificateKeyFile = file
                for group in cluster.groups { try await makeUser(user, on: group, kind) }
            } else if kind != .none {
                configuration.username = "least"
                configuration.password = Secret(Self.password)
                for group in cluster.groups { try await makeUser("least", on: group, kind) }
            }
            try await cluster.waitUntilInSync()

            var session = try await ClusterSession(cluster, in: directory)
            let common = configuration
            let logIn: @Sendable (inout MongoDBConfiguration) -> Void = { configuration in
                configuration.username = common.username
                configuration.password = common.password
                configuration.authMechanism = common.authMechanism
                configuration.tls = common.tls
            }
            session.config.logIn = logIn
            for index in session.shards.indices { session.shards[index].logIn = logIn }
            for job in [session.config] + session.shards {
                let status = await job.engine.inspect()
                #expect(status.problems == [], "\(job.name)")
            }
            let (cut, backups) = try await session.run()
            for job in [session.config] + session.shards {
                let result = try #require(backups[job.name]?.result)
                #expect(result.cut == cut && result.guarantee == .clusterCut)
                #expect(!job.context.log.contains(Self.password))
            }
            #expect(backups["rsA"]?.output.files.contains { $0.path == "shop/orders.bson" && $0.size == 28 } == true)
            #expect(try await cluster.balancerStatus().mode == "full")
            await cluster.kill()
        }
    }

    /// The user of docs/how-to/give-mongodb-privileges.md; the role is there already, made from the same page.
    private func makeUser(_ name: String, on group: ReplicaSet, _ kind: LogIn) async throws {
        let isX509 = kind == .x509
        let mechanisms: BSONValue = .array([.string(kind.mechanism ?? "")])
        let names = [
            "backup", "clusterMonitor", "hostManager", "restore", "readWriteAnyDatabase", MongoUser.remoraRole,
        ]
        let roles = names.map { BSONValue.document(["role": .string($0), "db": "admin"]) }
        var command: BSONDocument = ["createUser": .string(name), "roles": .array(roles)]
        if !isX509 {
            command = command.appending("pwd", .string(Self.password)).appending("mechanisms", mechanisms)
        }
        command = command.appending("writeConcern", ["w": "majority"])
        try await group.primary().client().command(
            TestDocument(bytes: command.bytes),
            on: isX509 ? "$external" : "admin"
        )
    }

    @Test("a shard of 8.0 that nobody may ask without a router says so before anything is done")
    func directOperations() async throws {
        let server = try await SharedServers.standalone()
        let connection = try MongoConnection(
            MongoDBConfiguration(
                uri: "mongodb://\(server.address)",
                username: MongoUser.remora.name,
                password: Secret(MongoUser.remora.password)
            )
        )
        var facts = try await MemberFacts(asking: connection)
        facts.version = "8.0.4"
        facts.sharding = ShardIdentity(clusterID: "c", isConfigServer: false, shard: "a")
        let obstacle = MemberAssessment(facts, connectedTo: "h:1").obstacle
        #expect(obstacle?.code == "missingPrivilege")
        #expect(obstacle?.message.contains("action issueDirectShardOperations (role directShardOperations)") == true)
        facts.sharding?.isConfigServer = true
        #expect(MemberAssessment(facts, connectedTo: "h:1").obstacle == nil)
        facts.sharding?.isConfigServer = false
        facts.version = "7.0.16"
        #expect(MemberAssessment(facts, connectedTo: "h:1").obstacle == nil)
    }
}
