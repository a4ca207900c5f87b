import TestSupport
import Testing

@Suite("a restore that is interrupted", .serialized)
struct RestoreFaultTests {
    @Test(
        "an agent killed, a primary that steps down, a cancel: each says what it left behind, and --drop makes it exact"
    )
    func interrupted() async throws {
        try await withRig("e2e-restore-faults") { rig in
            try await DataSet.small.load(into: rig.set.uri())
            try await Bulk.fill(rig.set, megabytes: 96)
            let truth = try await ClusterFingerprint.read(rig.set.client())
            let backup = try await rig.deployment.remora("backup", "shop", "--wait")
            try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")

            try await prove(rig, truth, phase: "Failed", reason: "Lost") { agent, _ in
                await agent.kill()
                try await agent.launch()
            }
            try await prove(rig, truth, phase: "Failed", reason: "PrimaryLost") { agent, _ in
                try await rig.set.stepDown()
                agent.resume()
            }
            try await prove(rig, truth, phase: "Cancelled", reason: "Cancelled") { agent, session in
                let cancel = try await rig.deployment.remora("cancel", session)
                #expect(cancel.status.succeeded, "\(cancel.errorText)")
                agent.resume()
            }
        }
    }

    /// Interrupts a restore in the middle, reads what people are told, and repeats it as they are told.
    private func prove(
        _ rig: Rig,
        _ truth: ClusterFingerprint,
        phase: String,
        reason: String,
        interrupt: (_ agent: Server, _ session: String) async throws -> Void
    ) async throws {
        let primary = try await rig.set.primary()
        let index = try #require(rig.set.members.firstIndex { $0 === primary })
        let agent = rig.agents[index]
        let whole = try await Bulk.count(primary)
        let view = try await rig.deployment.json("restore", "shop", "--from", "latest", "--drop")
        let session = try #require(view["name"].string)
        // Dropped at once and filled one by one, so any other number than none and all is the middle.
        try await eventually("a part of the documents is there", every: .milliseconds(2)) {
            (1..<whole).contains(try await Bulk.count(primary))
        }
        agent.freeze()
        try #require(try await Bulk.count(primary) < whole, "the restore was over before it could be interrupted")
        try await interrupt(agent, session)

        let end = try await rig.waitForEnd(of: session)
        #expect(end["phase"].string == phase && end["reason"].string == reason, "\(end)")
        #expect(end["hosts"][0]["pod"].string == "mongo-\(index)", "the agent at work was another one")
        let message = end["message"].string ?? ""
        #expect(message.contains("part of the backup") || message.contains("partially restored"), "\(message)")
        #expect(message.contains("repeat the restore"), "says what to do: \(message)")

        try await rig.waitForAgents()
        let again = try await rig.deployment.remora("restore", "shop", "--from", "latest", "--drop", "--wait")
        try #require(again.status.succeeded, "\(again.text)\(again.errorText)")
        try await rig.expectEqual(to: truth)
    }
}
