import BackupModel
import Synchronization
import TestSupport
import Testing

@testable import Engines

/// An agent may die between its note and the server's answer; what it finds locked afterwards may be somebody else's.
@Suite("MongoDB: whose lock is it", .serialized, .timeLimit(.minutes(5)))
struct LockOwnerTests {
    @Test("a lock is told from somebody else's by what the server remembers of the request")
    func evidence() async throws {
        try await withMember("owner") { member, rig in
            // Noted, never asked for, and nobody else locked either.
            try await rig.leave(rig.crash(member, .beforeRequest))
            #expect(try await rig.released(member) == "job crashed left a lock note for \(member.address), but no lock")

            // Noted and never asked for: the lock that is there is somebody else's.
            try await rig.leave(rig.crash(member, .beforeRequest))
            try await rig.lockAsForeigner(member)
            let status = await rig.engine(member).inspect()
            #expect(status.lock == MemberStatus.Lock(isOurs: false))
            #expect(try await rig.released(member, saying: "stays (our request never reached the server)"))
            #expect(try await rig.unlockAsForeigner(member) == 0)

            // Granted, and the answer was never written down.
            try await rig.leave(rig.crash(member, .beforeAnswer))
            #expect(await rig.engine(member).inspect().lock == MemberStatus.Lock(isOurs: true, jobID: "crashed"))
            #expect(try await rig.released(member) == "released the lock that job crashed left on \(member.address)")
            #expect(try await member.isLocked() == false)

            // The same, and somebody else's on top of it.
            try await rig.leave(rig.crash(member, .beforeAnswer))
            try await rig.lockAsForeigner(member)
            #expect(try await rig.released(member, saying: "; 1 of others stay"))
            #expect(try await rig.unlockAsForeigner(member) == 0)

            // The same, but a person took ours off before somebody else locked.
            try await rig.leave(rig.crash(member, .beforeAnswer))
            #expect(try await rig.unlockAsForeigner(member) == 0)
            try await rig.lockAsForeigner(member)
            #expect(try await rig.released(member, saying: "stays (ours was taken off before this one)"))
            #expect(try await rig.unlockAsForeigner(member) == 0)

            // The same with a lock that was written down as held.
            try await rig.takeAndForget(member)
            #expect(try await rig.unlockAsForeigner(member) == 0)
            try await rig.lockAsForeigner(member)
            #expect(await rig.engine(member).inspect().lock == MemberStatus.Lock(isOurs: false))
            #expect(try await rig.released(member, saying: "stays (ours was operation "))
            #expect(try await rig.unlockAsForeigner(member) == 0)
        }
    }

    @Test("where the sessions are forgotten the log decides, and where that is too the lock goes, loudly")
    func lostEvidence() async throws {
        var options = MongoOptions.authenticated
        options.parameters["logicalSessionRefreshMillis"] = "500"
        try await withMember("forgotten", options) { member, rig in
            var note = try await rig.crash(member, .beforeRequest)
            try rig.leave(note)
            try await rig.lockAsForeigner(member)
            try await rig.waitForFlush(member, after: note)
            #expect(try await rig.released(member, saying: "stays (our request never reached the server)"))
            #expect(try await rig.unlockAsForeigner(member) == 0)

            note = try await rig.crash(member, .beforeAnswer)
            try rig.leave(note)
            try await rig.waitForFlush(member, after: note)
            #expect(try await rig.released(member) == "released the lock that job crashed left on \(member.address)")

            note = try await rig.crash(member, .beforeAnswer)
            try rig.leave(note)
            try await rig.waitForFlush(member, after: note)
            let client = try member.client()
            for _ in 0..<1100 { try await client.command(#"{"setParameter": 1, "logLevel": 0}"#) }
            let sentence = try await rig.released(member)
            #expect(sentence.contains("can't be sure that the lock was ours: neither its sessions nor its log tell"))
            #expect(try await member.isLocked() == false)
        }
    }

    @Test("a lock that was refused or never asked for is not looked for on the member")
    func neverAsked() async throws {
        try await withMember("refused") { member, rig in
            // Somebody else locks between our note and our request, and the job is cancelled there.
            let context = BackupContext()
            let engine = rig.engine(member) { tuning in
                tuning.pause = { step in
                    guard step == "noted" else { return }
                    await rig.lockAndCancel(member)
                }
            }
            let result = await Task { try await rig.backUp(engine, context: context) }.result
            #expect(throws: CancellationError.self) { _ = try result.get() }
            let notes = try engine.notes.all()
            #expect(notes.isEmpty)
            #expect(try await rig.unlockAsForeigner(member) == 0)
        }
    }

    private func withMember(
        _ name: String,
        _ options: MongoOptions = .authenticated,
        _ body: (MongoServer, BackupRig) async throws -> Void
    ) async throws {
        let directory = try TestDirectory(name)
        defer { directory.remove() }
        var set = ReplicaSetOptions(members: 3)
        set.mongo = options
        let servers = try await ReplicaSet.start(set, in: directory)
        try await servers.waitUntilInSync()
        try await body(#require(try await servers.secondaries().first), BackupRig(directory))
        await servers.kill()
    }
}

extension BackupRig {
    /// Where an agent dies.
    fileprivate enum Moment { case beforeRequest, beforeAnswer }

    /// Goes as far as an agent that dies at `moment`, and returns the note that it leaves.
    fileprivate func crash(_ member: MongoServer, _ moment: Moment) async throws -> LockNote {
        let left = Mutex<LockNote?>(nil)
        let directory = stateDirectory
        let engine = engine(member) { tuning in
            tuning.pause = { step in
                guard step == "noted" else { return }
                do {
                    let note = try LockNotes(directory: directory).all().first
                    left.withLock { $0 = note }
                } catch {
                    Issue.record("\(error)")
                }
                if moment == .beforeRequest { withUnsafeCurrentTask { $0?.cancel() } }
            }
        }
        let lock = try MemberLock(
            engine,
            host: member.address,
            freezes: true,
            budget: .seconds(600),
            context: BackupContext(jobID: "crashed")
        )
        let result = await Task { try await lock.take() }.result
        switch moment {
        case .beforeRequest: #expect(throws: CancellationError.self) { _ = try result.get() }
        case .beforeAnswer: _ = try result.get()
        }
        return try #require(left.withLock { $0 })
    }

    fileprivate func leave(_ note: LockNote) throws {
        #expect(note.state == .requested)
        try LockNotes(directory: stateDirectory).write(note)
    }

    /// What the next start of the agent says, by another engine than the one that died.
    fileprivate func released(_ member: MongoServer) async throws -> String {
        let engine = engine(member)
        let sentences = try await engine.releaseLeftovers()
        #expect(try engine.notes.all().isEmpty)
        #expect(sentences.count == 1)
        return sentences.first ?? ""
    }

    fileprivate func released(_ member: MongoServer, saying text: String) async throws -> Bool {
        let sentence = try await released(member)
        if !sentence.contains(text) { Issue.record("\(sentence)") }
        return sentence.contains(text)
    }

    fileprivate func lockAsForeigner(_ member: MongoServer) async throws {
        _ = try await member.client().command(#"{"fsync": 1, "lock": true}"#)
    }

    fileprivate func lockAndCancel(_ member: MongoServer) async {
        do {
            try await lockAsForeigner(member)
        } catch {
            Issue.record("\(error)")
        }
        withUnsafeCurrentTask { $0?.cancel() }
    }

    /// Returns how many locks are left.
    fileprivate func unlockAsForeigner(_ member: MongoServer) async throws -> Int? {
        try await member.client().command(#"{"fsyncUnlock": 1}"#)["lockCount"]?.int
    }

    fileprivate func waitForFlush(_ member: MongoServer, after note: LockNote) async throws {
        let before = try #require(note.request?.counters?.sessionFlushes)
        let client = try member.client()
        try await eventually("the member has passed its sessions on") {
            let status = try await client.command(#"{"serverStatus": 1}"#)
            return status["logicalSessionRecordCache.sessionsCollectionJobCount"]?.int ?? 0 > before + 1
        }
    }
}
