import BackupModel
import Foundation
import HTTPClient
import ObjectStorage
import Repository
import TestSupport
import Testing

@testable import Coordinator

@Suite struct BackupOverHTTPTests {
    @Test("an agent for another kind of database than its target's gets no work, and the session says why it waits")
    func stranger() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                agent.engine = "mysql"
                try await agent.register()
                _ = try await agent.checkin()
                let key = try await coordinator.backup()
                let waiting = try await eventually("the session says why it waits") {
                    let text = try await coordinator.session(key).events.map(\.message).joined(separator: "; ")
                    return text.contains("waits for an agent of target shop/orders that reaches") ? text : nil
                }
                #expect(
                    waiting.contains(
                        "mongo-1: the agent is one for mysql (--engine), and AppBinding shop/orders is of type mongodb"
                    ),
                    "\(waiting)"
                )
                #expect(try await agent.checkin().jobs.isEmpty)
            }
        }
    }

    @Test("an agent is woken for a backup, and the manifest is there when all is done")
    func wholeBackup() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                try await agent.register()
                let idle = try await agent.checkin()
                #expect(idle.jobs.isEmpty)
                // A long poll that is answered before its time is over, because there is work: at its end it would have none.
                let waiting = agent
                async let woken = waiting.checkin(ack: idle.revision, wait: 120)
                let key = try await coordinator.backup()
                let job = try #require(try await woken.jobs.first)
                #expect(job.session == key.description)
                #expect(job.work.backup?.consistency == .lock)
                #expect(job.work.repositoryURL == directory.appending("repository/shop/orders/rs0"))
                #expect(job.work.snapshotTags == ["remora", "session=\(key)"])

                // Its repository is initialised and locked for the session, before the agent writes.
                let store = try DirectoryStore(path: directory.appending("repository"))
                let place = PrefixedStore(store, prefix: "shop/orders/rs0")
                let password = try RepositoryPassword(trimming: "correct horse battery")
                let repository = try await Repository.open(at: place, password: password)
                #expect(try await repository.locks().map(\.hostname) == ["remora/\(key.name)"])

                let credentials = try await coordinator.call(
                    "POST",
                    AgentProtocol.credentialsPath(job.jobID),
                    token: agent.token,
                    #"{"epoch":\#(agent.epoch),"fence":\#(job.fence)}"#
                )
                #expect(
                    try WireJSON.decode(JobCredentials.self, from: credentials.body).repositoryPassword
                        .hasPrefix("correct horse")
                )

                let beat = try WireJSON.decode(HeartbeatResponse.self, from: try await agent.heartbeat(job).body)
                #expect(beat.desired == .run)
                let running = try await coordinator.session(key)
                #expect(running.phase == .running)
                #expect(running.hosts.first?.progress?.objects == 3)
                #expect(running.hosts.first?.choice?.contains("a secondary, 1 s behind") == true)

                let line = #"{"t":1,"level":"info","component":"dump","message":"hello"}"# + "\n"
                #expect(try await agent.log(job, at: 0, line).status == 202)
                let again = try await agent.log(job, at: 0, line)
                #expect(again.status == 416)
                #expect(
                    try WireJSON.decode(ErrorResponse.self, from: again.body).error.nextOffset == Int64(line.utf8.count)
                )

                let permit = try await agent.prepareCommit(job)
                #expect(permit.status == 200)
                #expect(try await agent.prepareCommit(job).body == permit.body)
                let early = try await agent.complete(job, logBytes: line.utf8.count + 5)
                #expect(early.status == 202)
                #expect(try WireJSON.decode(LogResponse.self, from: early.body).nextOffset == Int64(line.utf8.count))
                #expect(try await agent.complete(job, logBytes: line.utf8.count).status == 200)
                #expect(try await agent.complete(job, logBytes: line.utf8.count).status == 200)

                let done = try await eventually("the session ends") {
                    let view = try await coordinator.session(key)
                    return view.phase.isFinal ? view : nil
                }
                #expect(done.phase == .succeeded)
                #expect(done.manifest?.documents == 42)
                #expect(try await repository.locks().isEmpty)
                let manifest = try WireJSON.decode(
                    SessionManifest.self,
                    from: try await store.get("shop/orders/sessions/\(key.name).json")
                )
                #expect(manifest.groups.map(\.group) == ["rs0"])
                #expect(manifest.cut == ClusterTime(t: 100, i: 1))
                let archived = try await store.get("shop/orders/logs/\(key.name)/mongo-1.ndjson.zst")
                #expect(String(decoding: try Zstandard.decompress(archived), as: UTF8.self) == line)

                let snapshots = try await coordinator.get([BackupView].self, UserAPI.snapshotsPath)
                #expect(snapshots.map(\.session) == [key.name])
                let lines = try await coordinator.call("GET", UserAPI.logsPath(key))
                #expect(String(decoding: lines.body, as: UTF8.self).contains(#""message":"hello","pod":"mongo-1""#))
                // Also when the coordinator's own copy is gone.
                try FileManager.default.removeItem(atPath: directory.appending("state/logs"))
                let fromArchive = try await coordinator.call("GET", UserAPI.logsPath(key))
                #expect(fromArchive.body == lines.body)
            }
        }
    }

    @Test("a backup goes on after a restart of the coordinator: same job, same fence, same token")
    func restart() async throws {
        try await withTestDirectory("coordinator") { directory in
            let (agent, job, key, lockID) = try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                try await agent.register()
                _ = try await agent.checkin()
                let key = try await coordinator.backup()
                let job = try await agent.awaitJob()
                #expect(try await agent.heartbeat(job).status == 200)
                #expect(try await agent.prepareCommit(job).status == 200)
                let store = try DirectoryStore(path: directory.appending("repository"))
                let repository = try await Repository.open(
                    at: PrefixedStore(store, prefix: "shop/orders/rs0"),
                    password: try RepositoryPassword(trimming: "correct horse battery")
                )
                let lock = try #require(try await repository.locks().first)
                return (agent, job, key, lock.id)
            }
            try await RunningCoordinator.run(directory) { coordinator in
                var agent = agent
                agent.coordinator = coordinator
                let store = try DirectoryStore(path: directory.appending("repository"))
                let repository = try await Repository.open(
                    at: PrefixedStore(store, prefix: "shop/orders/rs0"),
                    password: try RepositoryPassword(trimming: "correct horse battery")
                )
                // The lock file of the earlier process is renewed, not doubled.
                try await eventually("the lock file is taken up") {
                    let locks = try await repository.locks()
                    return locks.count == 1 && locks[0].id != lockID
                }
                let report = #"[{"jobID":"\#(job.jobID)","state":"running","fence":\#(job.fence)}]"#
                let document = try await agent.checkin(ack: "", jobs: report)
                #expect(document.epoch > agent.epoch)
                #expect(document.jobs.map(\.jobID) == [job.jobID])
                #expect(document.jobs.map(\.fence) == [job.fence])
                #expect(try await agent.heartbeat(job).status == 200)
                #expect(try await agent.complete(job).status == 200)
                try await eventually("the session succeeds") {
                    try await coordinator.session(key).phase == .succeeded
                }
            }
        }
    }

    @Test("an agent that lost its job is followed by another one, and its own calls are refused")
    func expiredLease() async throws {
        try await withTestDirectory("coordinator") { directory in
            let timings = SessionTimings(leaseMs: 2000, maximumDisconnectedMs: 4000, pollSeconds: 1)
            try await RunningCoordinator.run(directory, timings: timings) { coordinator in
                var first = ScriptedAgent(coordinator)
                var second = ScriptedAgent(coordinator, pod: "mongo-2")
                try await first.register()
                try await second.register()
                _ = try await second.checkin()
                _ = try await first.checkin()
                let key = try await coordinator.backup()
                let job = try await first.awaitJob()
                #expect(try await first.heartbeat(job).status == 200)
                // The first agent's process dies and comes back with a journal that knows of the job.
                let old = first
                first.incarnation = "i2"
                try await first.register(jobs: #"[{"jobID":"\#(job.jobID)","state":"lost","fence":1}]"#)
                #expect(try refusal(try await old.heartbeat(job)) == "401 unauthorized")
                let next = try await eventually("the second agent gets the job") {
                    _ = try await first.checkin(jobs: #"[{"jobID":"\#(job.jobID)","state":"lost","fence":1}]"#)
                    return try await second.checkin().jobs.first
                }
                #expect(next.fence == job.fence + 1)
                #expect(next.jobID != job.jobID)
                #expect(try refusal(try await first.heartbeat(job)) == "409 fenced")
                #expect(try refusal(try await first.prepareCommit(job)) == "409 fenced")
                #expect(try refusal(try await first.complete(job)) == "409 fenced")
                #expect(try refusal(try await first.heartbeat(next)) == "403 notYours")
                #expect(try refusal(try await second.heartbeat(next, fence: 1)) == "409 fenced")
                #expect(try await second.prepareCommit(next).status == 200)
                #expect(try await second.complete(next).status == 200)
                try await eventually("the session succeeds") {
                    try await coordinator.session(key).phase == .succeeded
                }
                #expect(try await coordinator.session(key).hosts.map(\.phase) == [.lost, .succeeded])
            }
        }
    }

    @Test("a cancelled backup is told to its agent and leaves no manifest")
    func cancel() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                try await agent.register()
                _ = try await agent.checkin()
                let key = try await coordinator.backup()
                let job = try await agent.awaitJob()
                #expect(try await agent.heartbeat(job).status == 200)
                let admin = try coordinator.token("admin")
                #expect(try await coordinator.call("POST", UserAPI.cancelPath(key), token: admin).status == 202)
                let beat = try WireJSON.decode(HeartbeatResponse.self, from: try await agent.heartbeat(job).body)
                #expect(beat.desired == .cancel)
                #expect(try refusal(try await agent.prepareCommit(job)) == "409 cancelled")
                let outcome = #"{"failure":{"code":"cancelled","message":"stopped","isRetryable":false}}"#
                #expect(try await agent.complete(job, outcome: outcome).status == 200)
                try await eventually("the session ends") { try await coordinator.session(key).phase == .cancelled }
                let store = try DirectoryStore(path: directory.appending("repository"))
                #expect(try await store.list(prefix: "shop/orders/sessions/").isEmpty)
                #expect(
                    try refusal(try await coordinator.call("POST", UserAPI.cancelPath(key), token: admin))
                        == "409 finished"
                )
            }
        }
    }

    @Test("the member that was read is read again at once, though its agent looked at it last while it was locked")
    func lockOfBefore() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                var first = ScriptedAgent(coordinator)
                var second = ScriptedAgent(coordinator, pod: "mongo-2")
                try await first.register()
                try await second.register()
                _ = try await first.checkin()
                _ = try await second.checkin()
                let key = try await coordinator.backup()
                let job = try await first.awaitJob()
                let held = #"{"host":"mongo-1:27017","isHeld":true,"heldMs":100,"remainingMs":600000}"#
                #expect(try await first.heartbeat(job, lock: held).status == 200)
                let seen = #"{"isOurs":true,"jobID":"\#(job.jobID)"}"#
                let running = #"[{"jobID":"\#(job.jobID)","state":"running","fence":\#(job.fence)}]"#
                _ = try await first.checkin(jobs: running, lock: seen)
                #expect(try await first.prepareCommit(job).status == 200)
                let released = #"{"host":"mongo-1:27017","isHeld":false,"heldMs":200,"remainingMs":0}"#
                let result = ScriptedAgent.result(snapshot: String(repeating: "ab", count: 32))
                let outcome = #"{"backup":\#(result),"lock":\#(released)}"#
                #expect(try await first.complete(job, outcome: outcome).status == 200)
                try await eventually("the session succeeds") {
                    try await coordinator.session(key).phase == .succeeded
                }

                let next = try await coordinator.backup()
                _ = try await first.checkin(lock: seen)
                let again = try await eventually("somebody gets the second job") {
                    let mine = try await first.checkin(lock: seen).jobs.contains { $0.session == next.description }
                    let others = try await second.checkin().jobs.contains { $0.session == next.description }
                    return mine || others ? mine : nil
                }
                #expect(again)
            }
        }
    }

    @Test("a lock whose agent is silent is released by another member's agent")
    func secondDeadline() async throws {
        try await withTestDirectory("coordinator") { directory in
            let timings = SessionTimings(leaseMs: 2000, maximumDisconnectedMs: 60_000, pollSeconds: 1)
            try await RunningCoordinator.run(directory, timings: timings) { coordinator in
                var locker = ScriptedAgent(coordinator)
                var helper = ScriptedAgent(coordinator, pod: "mongo-0", role: "primary")
                try await locker.register()
                try await helper.register()
                _ = try await locker.checkin()
                _ = try await helper.checkin()
                _ = try await coordinator.backup()
                let job = try await locker.awaitJob()
                let lock =
                    #"{"host":"mongo-1:27017","isHeld":true,"heldMs":100,"remainingMs":600000,"evidence":"its note"}"#
                #expect(try await locker.heartbeat(job, lock: lock).status == 200)
                let held = try await coordinator.get([LockView].self, UserAPI.locksPath)
                #expect(held.map(\.host) == ["mongo-1:27017"])
                #expect(held.first?.endedAt == nil)
                let release = try await helper.awaitJob()
                let spec = ReleaseSpec(host: "mongo-1:27017", ownerJobID: job.jobID, kind: .lock, evidence: "its note")
                #expect(release.work.release == spec)
                #expect(try await helper.heartbeat(release).status == 200)
                #expect(try await helper.complete(release, outcome: "{}").status == 200)
                let ended = try await coordinator.get([LockView].self, UserAPI.locksPath)
                #expect(ended.first?.endedBy == "released over the network by mongo-0")
                #expect(try await helper.checkin().jobs.isEmpty)
            }
        }
    }
}
