import TestSupport
import Testing

/// What goes wrong at night: in none of it may a member stay locked or a backup be called good that isn't.
@Suite("faults", .serialized)
struct FaultTests {
    @Test("an agent killed while it holds the lock: its member is unlocked when it is back, nothing is published")
    func agentKilledUnderLock() async throws {
        try await withStalledBackup("e2e-agent-killed") { rig, session, locked, storage in
            await rig.agents[locked].kill()
            #expect(try await rig.set.members[locked].isLocked(), "a lock outlives its client")
            try await rig.agents[locked].launch()
            try await eventually("the member is unlocked", within: .seconds(30)) {
                try await !rig.set.members[locked].isLocked()
            }
            storage.server.resume()
            let end = try await rig.waitForEnd(of: session)
            let snapshots = try await rig.deployment.json("snapshots").elements.count
            #expect(snapshots == (end["phase"].string == "Succeeded" ? 1 : 0), "\(end)")
            try await rig.expectNoLockAndGoodRepository(storage)
        }
    }

    @Test("the coordinator is killed in the middle and comes back: the session goes on and succeeds")
    func coordinatorRestarted() async throws {
        try await withStalledBackup("e2e-coordinator-killed") { rig, session, _, storage in
            await rig.deployment.coordinator.kill()
            try await rig.deployment.startCoordinator()
            storage.server.resume()
            let end = try await rig.waitForEnd(of: session)
            #expect(end["phase"].string == "Succeeded", "\(end)")
            try await rig.expectNoLockAndGoodRepository(storage)
        }
    }

    @Test("the coordinator stays away for longer than the lease: the lock is released, the backup good all the same")
    func coordinatorGone() async throws {
        try await withStalledBackup("e2e-coordinator-gone") { rig, session, locked, storage in
            await rig.deployment.coordinator.kill()
            try await eventually("the lock is released without the coordinator", within: .seconds(60)) {
                try await !rig.set.members[locked].isLocked()
            }
            storage.server.resume()
            try await rig.deployment.startCoordinator()
            let end = try await rig.waitForEnd(of: session, within: .seconds(180))
            #expect(end["phase"].string == "Succeeded", "\(end)")
            try await rig.expectNoLockAndGoodRepository(storage)
        }
    }

    @Test("the dumped member dies: another one is chosen, and the backup succeeds")
    func memberDies() async throws {
        try await withStalledBackup("e2e-member-dies") { rig, session, locked, storage in
            await rig.set.members[locked].kill()
            storage.server.resume()
            let end = try await rig.waitForEnd(of: session, within: .seconds(180))
            #expect(end["phase"].string == "Succeeded", "\(end)")
            try await rig.expectNoLockAndGoodRepository(storage)
        }
    }

    @Test("a foreign lock is left alone and reported")
    func foreignLock() async throws {
        var members = ReplicaSetOptions(members: 1)
        members.members.append(.hidden)
        members.members.append(ReplicaSetMember())
        try await withRig("e2e-foreign-lock", members: members) { rig in
            try await DataSet.small.load(into: rig.set.uri())
            let hidden = rig.set.members[1]
            try await hidden.client().command(#"{"fsync": 1, "lock": true}"#)
            let backup = try await rig.deployment.remora("backup", "shop", "--wait")
            #expect(try await hidden.isLocked(), "nobody may touch a foreign lock")
            let said = backup.text + backup.errorText + rig.logs()
            #expect(said.contains("lock"), "the foreign lock is reported: \(said)")
            try await hidden.client().command(#"{"fsyncUnlock": 1}"#)
        }
    }

    /// A rig whose backup holds its lock and can't go on, because storage stands still.
    private func withStalledBackup(
        _ name: String,
        _ body: (_ rig: Rig, _ session: String, _ locked: Int, _ storage: SeaweedFS) async throws -> Void
    ) async throws {
        try await withTestDirectory("\(name)-storage") { directory in
            let storage = try await SeaweedFS.start(in: directory)
            try await storage.makeBucket("backups")
            try await withRig(
                name,
                repository: s3Backend(storage),
                configuration: "  retryConfig:\n    maxRetry: 3\n    delay: 1s",
                storageSecret: storage.environment,
                coordinatorArguments: ["--lease-seconds", "6"]
            ) { rig in
                try await Bulk.fill(rig.set, megabytes: 400)
                let session = try await rig.startBackup()
                let locked = try await eventually("a member is locked", every: .milliseconds(10)) {
                    try await rig.lockedMember()
                }
                storage.server.freeze()
                #expect(try await rig.set.members[locked].isLocked(), "the dump was over before storage stood still")
                try await body(rig, session, locked, storage)
            }
            await storage.kill()
        }
    }
}

extension Rig {
    /// What must hold after every fault.
    func expectNoLockAndGoodRepository(_ storage: SeaweedFS) async throws {
        for member in set.members where member.server.isRunning {
            #expect(try await !member.isLocked(), "\(member.address) is still locked")
        }
        try await Restic(
            repository: "s3:\(storage.endpoint)/backups/remora/demo/shop/rs0",
            password: Deployment.repositoryPassword,
            environment: storage.environment
        ).check()
    }
}
