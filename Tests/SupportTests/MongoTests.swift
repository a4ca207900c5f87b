import TestSupport
import Testing

@Suite("MongoDB rigs")
struct MongoTests {
    @Test("a standalone asks for log-ins, and the least-privileged user can lock it and read")
    func standalone() async throws {
        try await withTestDirectory { directory in
            let mongo = try await MongoServer.start(.authenticated, in: directory)
            try await mongo.client().command(#"{"insert": "c", "documents": [{"_id": 1}]}"#, on: "a")
            let remora = try mongo.client(as: .remora)
            #expect(try await remora.find(in: "c", of: "a").count == 1)
            #expect(try await remora.command(#"{"fsync": 1, "lock": true}"#)["lockCount"]?.int == 1)
            try await remora.command(#"{"fsyncUnlock": 1}"#)
            await #expect(throws: MongoError.self) {
                try await remora.command(#"{"shutdown": 1}"#)
            }
            await #expect(throws: MongoError.self) { try await mongo.client(as: nil).find(in: "c", of: "a") }
            await mongo.kill()
        }
    }

    @Test("a set with TLS lets users log in by password and by certificate, and refuses plain connections")
    func tls() async throws {
        try await withTestDirectory { directory in
            var options = ReplicaSetOptions(members: 1)
            options.mongo.certificates = try await Certificates.make(in: directory)
            let certificates = try #require(options.mongo.certificates)
            let set = try await ReplicaSet.start(options, in: directory)
            let mongo = set.members[0]
            let (file, name) = try await certificates.makeClient("backup")
            try await mongo.client().command(
                #"{"createUser": "\#(name)", "roles": [{"role": "backup", "db": "admin"}]}"#,
                on: "$external"
            )
            let user = MongoUser(name, password: "", mechanism: "MONGODB-X509", certificateFile: file)
            let status = try await mongo.client(as: user).command(#"{"connectionStatus": 1}"#)
            #expect(status["authInfo.authenticatedUsers.0.user"]?.string == name)
            let plain = try MongoClient(
                "mongodb://\(mongo.address)/?directConnection=true&serverSelectionTimeoutMS=500"
            )
            await #expect(throws: MongoError.self) { try await plain.command(#"{"hello": 1}"#) }
            await set.kill()
        }
    }

    @Test("hidden, delayed and voteless members are what they were asked to be")
    func memberKinds() async throws {
        try await withTestDirectory { directory in
            var options = ReplicaSetOptions(members: 1)
            var delayed = ReplicaSetMember.hidden
            delayed.delaySeconds = 3600
            delayed.votes = 0
            var arbiter = ReplicaSetMember()
            arbiter.isArbiter = true
            arbiter.priority = 0
            options.members += [.hidden, delayed, arbiter]
            let set = try await ReplicaSet.start(options, in: directory)
            let hellos = try await [set.members[1].hello(), set.members[2].hello(), set.members[3].hello()]
            #expect(hellos[0]["hidden"]?.bool == true)
            #expect(hellos[1]["secondaryDelaySecs"]?.int == 3600)
            #expect(hellos[2]["arbiterOnly"]?.bool == true)
            try await set.stop()
            for member in set.members { #expect(member.server.process?.status == .code(0)) }
        }
    }

    @Test("a set starts with a primary and two secondaries, and elects another when the primary dies")
    func replicaSet() async throws {
        try await withTestDirectory { directory in
            let set = try await ReplicaSet.start(in: directory)
            #expect(try await set.secondaries().count == 2)
            let old = try await set.primary()
            let secondary = try #require(try await set.secondaries().first)
            try await secondary.client(as: .remora).command(#"{"replSetFreeze": 0}"#)
            await old.kill()
            let new = try await eventually("another primary") {
                try await set.findPrimary().flatMap { $0 === old ? nil : $0 }
            }
            try await new.client().command(
                #"{"insert": "c", "documents": [{"_id": 1}], "writeConcern": {"w": "majority"}}"#,
                on: "a"
            )
            try await old.start()
            try await set.waitUntilInSync()
            #expect(try await old.client().find(in: "c", of: "a").count == 1)
            await set.kill()
        }
    }
}
