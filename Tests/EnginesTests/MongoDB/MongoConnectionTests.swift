import BSON
import Engines
import TestSupport
import Testing

@Suite("MongoDB connection")
struct MongoConnectionTests {
    @Test(
        "users log in by SCRAM-SHA-1, by SCRAM-SHA-256 and by whatever the server offers",
        arguments: [nil, "SCRAM-SHA-1", "SCRAM-SHA-256"] as [String?]
    )
    func scram(mechanism: String?) async throws {
        let server = try await SharedServers.standalone()
        let connection = try MongoConnection(
            MongoDBConfiguration(
                uri: "mongodb://\(server.address)",
                username: MongoUser.remora.name,
                password: Secret(MongoUser.remora.password),
                authMechanism: mechanism
            )
        )
        let status = try await connection.command("admin", ["connectionStatus": 1])
        let users = status[path: "authInfo", "authenticatedUsers"]?.array
        #expect(users?.first?.document?["user"]?.string == MongoUser.remora.name)
    }

    @Test("a certificate logs in over TLS, and an unknown authority is refused")
    func tls() async throws {
        let directory = try TestDirectory("tls")
        defer { directory.remove() }
        let certificates = try await Certificates.make(in: directory)
        var options = MongoOptions.authenticated
        options.certificates = certificates
        options.parameters["authenticationMechanisms"] = "SCRAM-SHA-1,SCRAM-SHA-256,MONGODB-X509"
        let server = try await MongoServer.start(options, in: directory)
        let (file, user) = try await certificates.makeClient("agent")
        _ = try await server.client().command(
            #"{"createUser": "\#(user)", "roles": [{"role": "backup", "db": "admin"}]}"#,
            on: "$external"
        )
        var tls = MongoDBConfiguration.TLS(caFile: certificates.caFile, certificateKeyFile: file)
        var configuration = MongoDBConfiguration(
            uri: "mongodb://\(server.address)",
            authMechanism: "MONGODB-X509",
            tls: tls
        )
        let status = try await MongoConnection(configuration).command("admin", ["connectionStatus": 1])
        let users = status[path: "authInfo", "authenticatedUsers"]?.array
        #expect(users?.first?.document?["user"]?.string == user)

        tls.caFile = nil
        configuration.tls = tls
        let stranger = try MongoConnection(configuration)
        let error = await #expect(throws: Engines.MongoError.self) { try await stranger.command("admin", ["ping": 1]) }
        #expect(error?.kind == .unreachable)
        await server.kill()
    }

    @Test("a wrong password is an authentication error that doesn't show it")
    func wrongPassword() async throws {
        let server = try await SharedServers.standalone()
        let connection = try MongoConnection(
            MongoDBConfiguration(
                uri: "mongodb://remora:not%2Fright@\(server.address)",
                password: Secret("n0t-right-either")
            )
        )
        let error = await #expect(throws: Engines.MongoError.self) {
            try await connection.command("admin", ["ping": 1])
        }
        #expect(error?.kind == .authentication)
        #expect(error.map { !"\($0)".contains("n0t-right") && !"\($0)".contains("not/right") } == true)
        #expect(!"\(MongoDBConfiguration(uri: "", password: Secret("hidden")))".contains("hidden"))
    }

    @Test("an address where nobody listens is unreachable, and a list of hosts is refused")
    func unreachable() async throws {
        let connection = try MongoConnection(
            MongoDBConfiguration(uri: "mongodb://127.0.0.1:1", connectTimeoutMilliseconds: 500)
        )
        let error = await #expect(throws: Engines.MongoError.self) {
            try await connection.command("admin", ["ping": 1])
        }
        #expect(error?.kind == .unreachable)
        #expect(throws: Engines.MongoError.self) { try MongoConnection(MongoDBConfiguration(uri: "mongodb://a,b/")) }
        #expect(throws: Engines.MongoError.self) { try MongoConnection(MongoDBConfiguration(uri: "mongodb+srv://a/")) }
    }

    @Test("raw inserts of any size are split into messages, and cursors give back every byte")
    func insertAndRead() async throws {
        let server = try await SharedServers.standalone()
        let connection = try MongoConnection(MongoDBConfiguration(uri: server.uri()))
        let database = SharedServers.uniqueName("insert")
        var bytes: [UInt8] = []
        for index in 0..<120_000 {
            bytes += (["_id": .integer(index)] as BSONDocument).bytes
        }
        for index in 0..<3 {
            let big = [UInt8](repeating: UInt8(index), count: 15 << 20)
            bytes += (["_id": .string("big \(index)"), "b": .binary(subtype: 0, bytes: big)] as BSONDocument).bytes
        }
        let result = try await connection.insert(database, "c", documents: bytes, isOrdered: true)
        #expect(result.count == 120_003)
        #expect(result.failures.isEmpty)
        let again = try await connection.insert(database, "c", documents: (["_id": 5] as BSONDocument).bytes)
        #expect(again.failures.first?.code == 11000)

        var read: [UInt8] = []
        var batch = try await connection.open(database, ["find": "c", "hint": ["$natural": 1]])
        while true {
            try batch.withDocuments { span, documents in
                while let range = try documents.next() { read += BSONDocument.copy(span, range) }
            }
            if batch.cursorID == 0 { break }
            batch = try await connection.next(after: batch, batchSize: 50_000)
        }
        #expect(read == bytes)
    }

    @Test("a secondary answers reads, and the server's errors keep their numbers")
    func secondary() async throws {
        let set = try await SharedServers.replicaSet()
        let member = try #require(try await set.secondaries().first)
        let connection = try MongoConnection(MongoDBConfiguration(uri: member.uri(as: .remora)))
        let oplog = try await connection.open("local", ["find": "oplog.rs", "limit": 3])
        #expect(try oplog.documents().count == 3)
        let error = await #expect(throws: Engines.MongoError.self) {
            try await connection.command("shop", ["insert": "c", "documents": [["_id": 1]]])
        }
        #expect(error?.kind == .server)
        #expect(error?.codeName == "NotWritablePrimary")
    }
}
