import TestSupport
import Testing

@Suite("TLS through the whole system", .serialized)
struct TLSTests {
    @Test("backup, status and logs work over HTTPS; who doesn't know the authority is told so in one sentence")
    func wholeSystem() async throws {
        try await withTestDirectory("e2e-tls-certificates") { directory in
            let certificates = try await Certificates.make(in: directory)
            try await withRig("e2e-tls", members: ReplicaSetOptions(members: 1), certificates: certificates) { rig in
                try await Bulk.fill(rig.set, megabytes: 8)
                let backup = try await rig.deployment.remora("backup", "shop", "--follow")
                try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
                let name = try #require(try await rig.deployment.json("sessions")[0]["name"].string)
                let log = try await rig.deployment.remora("logs", name)
                #expect(log.status.succeeded && log.text.contains("snapshot"), "\(log.text)\(log.errorText)")
                #expect(try await rig.deployment.json("snapshots").elements.count == 1)

                try expectNoSecretInTheOpen(rig)
                try await proveStrangerIsTold(rig)
                let refused = try await rig.deployment.remora("status", environment: ["REMORA_CA_FILE": nil])
                #expect(refused.status == .code(4), "\(refused.status)")
                #expect(refused.errorText.contains("--ca-file"), "\(refused.errorText)")
                let lines = refused.errorText.split(separator: "\n")
                #expect(lines.count <= 2, "a sentence and a hint: \(refused.errorText)")
            }
        }
    }

    private func proveStrangerIsTold(_ rig: Rig) async throws {
        let stranger = try rig.deployment.makeAgent(
            "stranger",
            uri: "mongodb://\(rig.set.members[0].address)/?authSource=admin",
            user: MongoUser.remora.name,
            password: MongoUser.remora.password,
            knowsAuthority: false
        )
        try await stranger.launch()
        try await eventually("the agent says that it doesn't trust the coordinator") {
            guard stranger.isRunning else { throw FatalWaitError(stranger.logTail()) }
            return stranger.logTail().contains("certificate")
        }
        let lines = stranger.logTail().split(separator: "\n").filter { $0.contains("certificate") }
        #expect(lines.allSatisfy { $0.contains("--ca-file") }, "says what to do: \(lines)")
        #expect(try await rig.deployment.connectedAgents().count == rig.agents.count)
        await stranger.stop(grace: .seconds(5))
    }

    @Test("nothing sends tokens and passwords over a network in the clear")
    func plainIsRefused() async throws {
        try await withTestDirectory("e2e-plain") { directory in
            let deployment = try Deployment(in: directory, binaries: .beside())
            let coordinator = try await Command(
                deployment.binaries.path("remora-coordinator"),
                [
                    "--objects", directory.appending("objects"), "--secrets", directory.appending("secrets"),
                    "--state", directory.appending("state"), "--listen", "0.0.0.0:\(try Ports.free())",
                ],
                limit: .seconds(30)
            ).output()
            #expect(coordinator.status == .code(78), "\(coordinator.status)")
            #expect(coordinator.errorText.contains("--tls-certificate"), "\(coordinator.errorText)")

            let agent = try await Command(
                deployment.binaries.path("remora-agent"),
                [
                    "--coordinator", "http://192.0.2.1:7480",
                    "--enrolment-token-file", directory.appending("enrolment.token"),
                    "--state-dir", directory.path, "--namespace", "demo", "--pod", "p", "--cluster", "shop",
                    "--engine", "mongodb", "--mongodb-uri", "mongodb://127.0.0.1:1/",
                ],
                limit: .seconds(30)
            ).output()
            #expect(agent.status == .code(2), "\(agent.status)")
            #expect(agent.errorText.contains("use https"), "\(agent.errorText)")

            let person = try await deployment.remora(
                "status",
                environment: [
                    "REMORA_COORDINATOR": "http://192.0.2.1:7480",
                    "REMORA_TOKEN_FILE": directory.appending("enrolment.token"),
                ],
                limit: .seconds(30)
            )
            #expect(person.status == .code(2), "\(person.status)")
            #expect(person.errorText.contains("use https"), "\(person.errorText)")
        }
    }
}
