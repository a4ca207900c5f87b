import BSON
public import BackupModel
import Synchronization

extension MongoDBEngine {
    /// Releases what an earlier process of this agent left locked, then starts the balancers that it left stopped and
    /// puts back what members were told to keep of their history.
    ///
    /// By its notes: touches nothing that no note names.
    ///
    /// - Returns: one sentence per note, for the log.
    /// - Throws: `JobFailure` when a note can't be read, or its lock can't be shown to be gone.
    public func releaseLeftovers() async throws -> [String] {
        var sentences: [String] = []
        for note in try notes.all() where !activeLocks.withLock({ $0.contains(note.host) }) {
            var commands = LockCommands(connection: try connect())
            // There is no job whose log could have its lines: what happened is in the sentence.
            let outcome = await LockRelease(self, note) { _, _ in }.run(&commands)
            if let failure = outcome.failure { throw failure }
            let what =
                if outcome.diedWithServer {
                    "the lock that job \(note.jobID) left on \(note.host) had died with the server"
                } else if let doubt = outcome.doubt {
                    "unlocked \(note.host) for job \(note.jobID), but can't be sure that the lock was ours: \(doubt);"
                        + " if somebody else was using a lock there, what was done under it is not to be trusted"
                } else if let reason = outcome.foreign {
                    "job \(note.jobID) left a lock note for \(note.host), but the lock there is somebody else's and"
                        + " stays (\(reason)): release it with db.fsyncUnlock() if nobody needs it"
                } else if outcome.wasOurs {
                    "released the lock that job \(note.jobID) left on \(note.host)"
                } else if outcome.others > 0 {
                    "released the lock that job \(note.jobID) left on \(note.host); \(outcome.others) of others stay"
                } else {
                    "job \(note.jobID) left a lock note for \(note.host), but no lock"
                }
            sentences.append(what)
        }
        for note in try balancerNotes.all()
        where !activeLocks.withLock({ $0.contains(BalancerStop.key(note.configServer)) }) {
            if let failure = await BalancerRelease(self, note).run() { throw failure }
            sentences.append("the balancer of \(note.configServer) is on again, which job \(note.jobID) left off")
        }
        for note in try historyNotes.all() where !HistoryWindow.isActive(note, self) {
            // Costs disk and no more: whoever is backed up meanwhile need not wait for it.
            let failure = await HistoryWindow.putBack(note, self)
            sentences.append(
                failure.map { "\(note.host) still keeps the history that job \(note.jobID) asked for: \($0)" }
                    ?? "\(note.host) keeps \(note.before) s of its history again, which job \(note.jobID) had raised"
            )
        }
        return sentences
    }

    /// Takes one lock off another member of the group, or starts a balancer, which its own agent can't do any more.
    ///
    /// - Throws: `JobFailure` when the member can't be reached or stays locked, or the balancer stays off.
    public func release(_ spec: ReleaseSpec, context: any JobContext) async throws {
        if spec.kind == .balancer { return try await releaseBalancer(spec, context) }
        var commands = LockCommands(connection: try connect(to: spec.host))
        let isLocked: Bool
        do throws(MongoError) {
            isLocked = try await commands.isLocked()
        } catch {
            throw MongoDBFailure.failed("asking whether it is locked", error, host: spec.host)
        }
        guard isLocked else {
            context.log(.info, "lock", "\(spec.host) is not locked: nothing of job \(spec.ownerJobID) to release")
            context.report(LockReport(host: spec.host, isHeld: false, endReason: "was not locked"))
            return
        }
        // Its agent told what is in its own note.
        let told = LockNote(evidence: spec.evidence, of: spec.host)
        if told == nil {
            let how = "one is taken off \(spec.host), whosoever it may be"
            context.log(.warning, "lock", "the note of job \(spec.ownerJobID)'s lock is not known: \(how)")
        }
        let note =
            told
            ?? LockNote(
                jobID: spec.ownerJobID,
                host: spec.host,
                processID: "",
                state: .held,
                since: unixSeconds(),
                isFrozen: true
            )
        let release = LockRelease(self, note, told == nil ? .isOurs : .unknown, host: spec.host) {
            context.log($0, "lock", $1)
        }
        let outcome = await release.run(&commands)
        if let failure = outcome.failure { throw failure }
        if let reason = outcome.foreign ?? (outcome.diedWithServer ? "the server has been restarted" : nil) {
            let end = "its lock is gone, and the one that is there is somebody else's and stays: \(reason)"
            context.report(LockReport(host: spec.host, isHeld: false, endReason: end))
            return
        }
        context.log(.info, "lock", "released the lock that job \(spec.ownerJobID) left on \(spec.host)")
        context.report(LockReport(host: spec.host, isHeld: outcome.others > 0, endReason: "released over the network"))
    }

    private func releaseBalancer(_ spec: ReleaseSpec, _ context: any JobContext) async throws {
        let member = try await assess(connect())
        guard let sharding = member.facts.sharding, sharding.isConfigServer else {
            throw MongoDBFailure.wrongGroup(member.host, "it is no config server and has no balancer")
        }
        let configServer = member.group
        // The note is with the agent that stopped it, which reported what it says; who asks for this knows that the
        // balancer was on.
        let known = try BalancerNote(evidence: spec.evidence, of: configServer) ?? balancerNotes.note(of: configServer)
        let note = BalancerNote(
            jobID: spec.ownerJobID,
            configServer: configServer,
            hosts: member.dataHosts,
            autoSplitWasOn: known?.autoSplitWasOn ?? true,
            since: unixSeconds()
        )
        if let failure = await BalancerRelease(self, note).run() { throw failure }
        context.log(
            .info,
            "balancer",
            "the balancer of \(configServer) is on again, which job \(spec.ownerJobID) left off"
        )
        context.report(
            BalancerReport(
                configServer: configServer,
                isStopped: false,
                wasOn: true,
                endReason: "given back over the network"
            )
        )
    }
}
