import BSON
import BackupModel
import TestSupport
import Testing

@testable import Engines

/// One after the other: each locks members, kills them, and watches the clock while it does.
@Suite("MongoDB lock", .serialized)
struct LockTests {
    @Test("a lock that a crashed agent left is released by its note, and by nothing else")
    func leftover() async throws {
        try await withSet("leftover") { set, rig in
            let member = try #require(try await set.secondaries().first)
            #expect(try await rig.engine(member).releaseLeftovers() == [])
            try await rig.takeAndForget(member)
            #expect(try await member.isLocked())
            let status = await rig.engine(member).inspect()
            #expect(status.lock == MemberStatus.Lock(isOurs: true, jobID: "crashed"))
            let released = try await rig.engine(member).releaseLeftovers()
            #expect(released == ["released the lock that job crashed left on \(member.address)"])
            #expect(try await member.isLocked() == false)
            #expect(try rig.engine(member).notes.all().isEmpty)

            // A note whose server has been restarted names a lock that died with it; a foreign lock stays.
            try await rig.takeAndForget(member)
            await member.kill()
            try await member.start()
            try await eventually("the member is a secondary again") {
                try await member.hello()["secondary"]?.bool == true
            }
            try await member.client().command(#"{"fsync": 1, "lock": true}"#)
            let kept = try await rig.engine(member).releaseLeftovers()
            #expect(kept == ["the lock that job crashed left on \(member.address) had died with the server"])
            #expect(try await member.isLocked())
            try await member.client().command(#"{"fsyncUnlock": 1}"#)
        }
    }

    @Test("nothing is locked before the coordinator has it on record")
    func recordedFirst() async throws {
        try await withSet("recorded") { set, rig in
            let member = try #require(try await set.secondaries().first)
            let context = BackupContext()
            context.onRecorded = { context in
                #expect(context.lastLock?.isHeld == true)
                #expect(try await member.isLocked() == false)
                // The job is stopped while it waits.
                throw CancellationError()
            }
            let engine = rig.engine(member)
            await #expect(throws: CancellationError.self) {
                try await rig.backUp(engine, BackupSpec(), context: context)
            }
            #expect(context.lastLock?.isHeld == false)
            #expect(try await member.isLocked() == false)
            #expect(try engine.notes.all().isEmpty)
        }
    }

    @Test("a foreign lock fails the backup clearly and is left alone")
    func foreignLock() async throws {
        try await withSet("foreign") { set, rig in
            let member = try #require(try await set.secondaries().first)
            try await member.client().command(#"{"fsync": 1, "lock": true}"#)
            let failure = await #expect(throws: JobFailure.self) { try await rig.backUp(rig.engine(member)) }
            #expect(failure?.code == "foreignLock")
            let status = await rig.engine(member).inspect()
            #expect(status.lock == MemberStatus.Lock(isOurs: false))
            #expect(status.problems.contains { $0.contains("locked by somebody else") })
            #expect(try await member.isLocked())
            try await member.client().command(#"{"fsyncUnlock": 1}"#)

            // The other one comes between our look and our lock: there are two then, and ours goes.
            let engine = rig.engine(member) { tuning in
                tuning.pause = { step in
                    guard step == "noted" else { return }
                    _ = try? await member.client().command(#"{"fsync": 1, "lock": true}"#)
                }
            }
            let second = await #expect(throws: JobFailure.self) { try await rig.backUp(engine) }
            #expect(second?.code == "foreignLock")
            #expect(second?.message.contains("there are 2 locks") == true)
            let left = try await member.client().command(#"{"fsyncUnlock": 1}"#)
            #expect(left["lockCount"]?.int == 0)
            #expect(try rig.engine(member).notes.all().isEmpty)
        }
    }

    @Test("a lock that doesn't come in time is undone when it does", .timeLimit(.minutes(3)))
    func lateLock() async throws {
        try await withSet("late", members: 1) { set, rig in
            let primary = try await set.primary()
            try await primary.client().command(#"{"insert": "c", "documents": [{"_id": 1}]}"#, on: "t")
            let transaction = try OpenTransaction(primary)
            let engine = rig.engine(primary) { tuning in
                tuning.lockAcquisition = .milliseconds(500)
                tuning.pause = { if $0 == "noted" { await transaction.begin() } }
            }
            let context = BackupContext()
            let lock = try MemberLock(
                engine,
                host: primary.address,
                freezes: false,
                budget: .seconds(60),
                context: context
            )
            async let failure = #expect(throws: JobFailure.self) { try await lock.take() }
            try await eventually("the lock is given up") { context.log.contains("undone as soon as it does") }
            #expect(try engine.notes.all().count == 1)
            await transaction.abort()
            #expect(await failure?.code == "lockFailed")
            #expect(try await primary.isLocked() == false)
            #expect(try engine.notes.all().isEmpty)

            // A transaction that is open before the lock is asked for is waited for without blocking anybody.
            await transaction.begin()
            let second = try MemberLock(
                engine,
                host: primary.address,
                freezes: false,
                budget: .seconds(60),
                context: context
            )
            let busy = await #expect(throws: JobFailure.self) { try await second.take() }
            #expect(busy?.message.contains("open transactions did not end") == true)
            #expect(try await primary.isLocked() == false)
            await transaction.abort()
        }
    }

    @Test(
        "the lock goes at once when the lease lapses, the job is cancelled, or the set loses its primary",
        arguments: ["lease", "cancel", "primary"]
    )
    func endings(cause: String) async throws {
        try await withSet(cause) { set, rig in
            let primary = try await set.primary()
            try await set.client().command(
                #"{"insert": "c", "documents": [{"_id": 1}], "writeConcern": {"w": 3}}"#,
                on: "t"
            )
            let member = try #require(try await set.secondaries().first)
            let context = BackupContext()
            let gate = Gate()
            let engine = rig.engine(member) { tuning in
                tuning.pause = { step in
                    guard step == "locked" else { return }
                    await gate.open()
                    // Stands for a dump of any length: goes on when the lock has gone.
                    _ = try? await eventually("the lock is released") { context.lastLock?.isHeld == false }
                }
            }
            let job = Task { try await rig.backUp(engine, context: context) }
            await gate.wait()
            #expect(try await member.isLocked())
            let begin = ContinuousClock.now
            switch cause {
            case "lease": context.lapse()
            case "cancel": job.cancel()
            default: await primary.kill()
            }
            try await eventually("the member is unlocked", within: .seconds(20)) {
                try await member.isLocked() == false
            }
            #expect(begin.duration(to: .now) < .seconds(15))
            let outcome = await job.result
            #expect(try engine.notes.all().isEmpty)
            switch (cause, outcome) {
            case ("cancel", .failure(let error)): #expect(error is CancellationError)
            case ("lease", .success(let backup)):
                #expect(backup.result.lock?.endReason == "lease lapsed")
                #expect(backup.result.cut != nil)
                #expect(
                    backup.result.warnings.contains { $0.contains("the lock ended before the dump (lease lapsed)") }
                )
            case ("primary", _): #expect(context.lastLock?.endReason?.contains("no primary") == true, "\(context.log)")
            default: Issue.record("the job ended with \(outcome)")
            }
        }
    }

    @Test("a member that dies under the lock fails the job, and its note is cleared when it is back")
    func death() async throws {
        try await withSet("death") { set, rig in
            let member = try #require(try await set.secondaries().first)
            let engine = rig.engine(member) { tuning in
                tuning.unlockPatience = .seconds(2)
                tuning.pause = { if $0 == "locked" { await member.kill() } }
            }
            let failure = await #expect(throws: JobFailure.self) { try await rig.backUp(engine) }
            #expect(failure?.code == "databaseUnreachable")
            #expect(failure?.isRetryable == true)
            #expect(try engine.notes.all().count == 1)
            try await member.start()
            try await eventually("the member is a secondary again") {
                try await member.hello()["secondary"]?.bool == true
            }
            let context = BackupContext()
            let backup = try await rig.backUp(rig.engine(member), context: context)
            #expect(backup.result.consistency == .lock)
            #expect(context.log.contains("had died with the server"))
            #expect(try engine.notes.all().isEmpty)
        }
    }

    @Test("another member's lock is released over the network, and only if it is there")
    func release() async throws {
        try await withSet("release") { set, rig in
            let members = try await set.secondaries()
            let (locked, other) = (try #require(members.first), try #require(members.last))
            try await rig.takeAndForget(locked)
            let context = BackupContext()
            let spec = ReleaseSpec(host: locked.address, ownerJobID: "crashed")
            try await rig.engine(other).release(spec, context: context)
            #expect(try await locked.isLocked() == false)
            try await rig.engine(other).release(spec, context: context)
            #expect(context.log.contains("is not locked: nothing of job crashed to release"))

            // With what its agent reported, a lock that somebody else has made since is told from it, and stays.
            let evidence = try #require(try await rig.takeAndForget(locked))
            let known = ReleaseSpec(host: locked.address, ownerJobID: "crashed", evidence: evidence)
            try await rig.engine(other).release(known, context: context)
            #expect(try await locked.isLocked() == false)
            _ = try await rig.takeAndForget(locked)
            try await rig.engine(other).release(known, context: context)
            #expect(try await locked.isLocked())
            #expect(context.lastLock?.isHeld == false)
            #expect(context.lastLock?.endReason?.contains("somebody else's and stays") == true)
            try await locked.client().command(#"{"fsyncUnlock": 1}"#)
        }
    }

    /// A set of its own: what happens to it would disturb others.
    private func withSet(
        _ name: String,
        members: Int = 3,
        _ body: (ReplicaSet, BackupRig) async throws -> Void
    ) async throws {
        let directory = try TestDirectory(name)
        defer { directory.remove() }
        let set = try await ReplicaSet.start(ReplicaSetOptions(members: members), in: directory)
        try await set.waitUntilInSync()
        try await body(set, BackupRig(directory))
        await set.kill()
    }
}

extension BackupRig {
    /// Locks a member as an agent does that is killed right after.
    ///
    /// - Returns: what it had told the coordinator by then.
    @discardableResult
    func takeAndForget(_ member: MongoServer) async throws -> String? {
        let context = BackupContext(jobID: "crashed")
        let lock = try MemberLock(
            engine(member),
            host: member.address,
            freezes: true,
            budget: .seconds(600),
            context: context
        )
        _ = try await lock.take()
        return context.lastLock?.evidence
    }
}

/// Lets one task wait for another.
actor Gate {
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func open() {
        isOpen = true
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiters.append($0) }
    }
}

/// A transaction that has written and stays open.
actor OpenTransaction {
    private let connection: MongoConnection
    private var number: Int64 = 0

    init(_ server: MongoServer) throws { connection = try MongoConnection(MongoDBConfiguration(uri: server.uri())) }

    func begin() async {
        number += 1
        do {
            _ = try await connection.command(
                "t",
                [
                    "insert": "c", "documents": [["n": .int64(number)]], "txnNumber": .int64(number),
                    "autocommit": false, "startTransaction": true,
                ]
            )
        } catch {
            Issue.record("the transaction could not be opened: \(error)")
        }
    }

    func abort() async {
        do {
            _ = try await connection.command(
                "admin",
                ["abortTransaction": 1, "txnNumber": .int64(number), "autocommit": false]
            )
        } catch {
            Issue.record("the transaction could not be aborted: \(error)")
        }
    }
}
