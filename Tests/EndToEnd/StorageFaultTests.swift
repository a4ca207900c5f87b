import Synchronization
import TestSupport
import Testing

/// Storage at its worst, between everything of ours and a real S3 server.
@Suite("storage faults", .serialized)
struct StorageFaultTests {
    @Test(
        "storage that stutters costs nothing but time; storage that stays away fails the backup in words, and when it is back the next one is good"
    )
    func stutterAndAbsence() async throws {
        try await withTestDirectory("e2e-storage-faults-server") { directory in
            let storage = try await SeaweedFS.start(in: directory)
            try await storage.makeBucket("backups")
            let proxy = try FaultProxy(before: storage.port)
            try await withRig(
                "e2e-storage-faults",
                repository: s3Backend(storage, endpoint: proxy.endpoint) + "\n      retrySeconds: 8",
                configuration: "  retryConfig:\n    maxRetry: 0",
                storageSecret: storage.environment
            ) { rig in
                try await proveStutter(rig, storage, proxy)
                try await proveAbsence(rig, storage, proxy)
            }
            proxy.end()
            await storage.kill()
        }
    }

    // MARK: Stutter

    private func proveStutter(_ rig: Rig, _ storage: SeaweedFS, _ proxy: FaultProxy) async throws {
        try await DataSet.small.load(into: rig.set.uri())
        try await Bulk.fill(rig.set, megabytes: 80)
        let before = try await ClusterFingerprint.read(rig.set.client())

        proxy.obey(stutter())
        let backup = try await rig.deployment.remora("backup", "shop", "--follow")
        try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
        for fault in ["500", "503", "broken upload", "lost answer", "stall"] {
            #expect(proxy.injected[fault, default: 0] > 0, "no \(fault) happened: \(proxy.injected)")
        }
        #expect((backup.text + backup.errorText).contains("try 2 follows in"), "the log tells of it: \(backup.text)")
        try await restic(storage).check()

        try await DataSet.drop(from: rig.set.uri())
        proxy.obey(stutter())
        let restore = try await rig.deployment.remora("restore", "shop", "--from", "latest", "--wait")
        try #require(restore.status.succeeded, "\(restore.text)\(restore.errorText)")
        #expect(proxy.injected["broken download", default: 0] > 0, "no broken download: \(proxy.injected)")
        proxy.release()
        try await rig.expectEqual(to: before)
    }

    /// Each upload and every second download of data goes wrong, in turn in every way there is.
    ///
    /// A pack goes wrong four times at most: chance alone must not keep all tries for one chunk from succeeding.
    /// So does every third call of another kind. The manifest's answer gets lost: a conditional put that has succeeded
    /// finds itself.
    private func stutter() -> FaultProxy.Rule {
        let uploads: [FaultProxy.Fault] = [
            .breakUpload, .answer(status: 503, code: "SlowDown"), .loseAnswer, .stall(.seconds(2)),
        ]
        let downloads: [FaultProxy.Fault] = [
            .breakDownload, .answer(status: 500, code: "InternalError"), .stall(.seconds(1)),
        ]
        let counts = Mutex((uploads: 0, downloads: 0))
        return { request in
            switch (request.method, request.path) {
            case ("PUT", let path) where path.contains("/sessions/"):
                return request.attempt == 1 ? .loseAnswer : nil
            case ("PUT", let path) where path.contains("/data/"):
                guard request.attempt == 1 else { return nil }
                return counts.withLock { counts in
                    counts.uploads += 1
                    return uploads[(counts.uploads - 1) % uploads.count]
                }
            case ("GET", let path) where path.contains("/data/"):
                guard request.attempt <= 8, request.attempt % 2 == 1 else { return nil }
                return counts.withLock { counts in
                    counts.downloads += 1
                    return downloads[(counts.downloads - 1) % downloads.count]
                }
            default:
                return request.number % 3 == 0 ? .answer(status: 500, code: "InternalError") : nil
            }
        }
    }

    // MARK: Absence

    private func proveAbsence(_ rig: Rig, _ storage: SeaweedFS, _ proxy: FaultProxy) async throws {
        let known = try await rig.deployment.json("snapshots").elements.count
        try await Bulk.fill(rig.set, megabytes: 160, into: "more")
        proxy.obey { $0.method == "PUT" && $0.path.contains("/data/") ? .hold : nil }
        let session = try await rig.startBackup()
        try await eventually("a member is locked, and an upload has begun", every: .milliseconds(10)) {
            try await rig.lockedMember() != nil && proxy.injected["hold", default: 0] > 0
        }
        proxy.vanish()
        let end = try await rig.waitForEnd(of: session)
        #expect(end["phase"].string == "Failed" && end["reason"].string == "StorageUnavailable", "\(end)")
        let message = end["message"].string ?? ""
        #expect(message.contains(proxy.endpoint) && message.contains("gave up after"), "names the storage: \(message)")
        #expect(message.contains("check that"), "says what to do: \(message)")
        #expect(try await rig.lockedMember() == nil, "no member may be locked")
        let asked = try await rig.deployment.remora("snapshots", limit: .seconds(60))
        #expect(asked.status == .code(12) && asked.errorText.contains(proxy.endpoint), "\(asked.errorText)")

        proxy.comeBack()
        #expect(try await rig.deployment.json("snapshots").elements.count == known, "nothing was published")
        let log = try await rig.deployment.remora("logs", session)
        #expect(log.text.contains("try 2 follows in"), "the log outlives the failure: \(log.text)\(log.errorText)")
        let next = try await rig.deployment.remora("backup", "shop", "--wait")
        try #require(next.status.succeeded, "\(next.text)\(next.errorText)")
        #expect(try await rig.deployment.json("snapshots").elements.count == known + 1)
        try await restic(storage).check()
        #expect(try await restic(storage).run("list", "locks").text == "", "no lock file is left behind")
    }

    private func restic(_ storage: SeaweedFS) -> Restic {
        Restic(
            repository: "s3:\(storage.endpoint)/backups/remora/demo/shop/rs0",
            password: Deployment.repositoryPassword,
            environment: storage.environment
        )
    }
}

extension Rig {
    /// Every member has exactly this.
    func expectEqual(to truth: ClusterFingerprint) async throws {
        try await set.waitUntilInSync()
        for member in set.members {
            let differences = try await ClusterFingerprint.read(member.client()).differences(from: truth)
            #expect(differences.isEmpty, "\(member.address): \(differences)")
        }
    }
}
