import BackupModel

/// The open records of the ledger, and what becomes of them: values to values, so that it can be simulated.
///
/// Whoever keeps the book stores a changed record before it lets the change count.
struct LockBook: Sendable, Hashable {
    /// What has become of one record.
    struct Change: Sendable, Hashable {
        enum Kind: Sendable, Hashable {
            /// It is known to be gone.
            case ended
            /// An agent is to release it.
            case release(pod: String)
            /// It should be released, and nobody can.
            case helpless
        }

        var kind: Kind
        /// As it is from now on.
        var record: LockRecord
        var reason: String
    }

    /// Open records by their ids.
    private(set) var open: [String: LockRecord] = [:]
    /// What nobody can release, in words, by ids of records.
    private(set) var helpless: [String: String] = [:]

    /// Takes a record in; one that has ended goes.
    mutating func keep(_ record: LockRecord) {
        open[record.id] = record.isOpen ? record : nil
        if !record.isOpen { helpless[record.id] = nil }
    }

    /// What a step of a session means for the ledger.
    ///
    /// - Returns: records that began or ended, which must be stored, and those whose moments only moved on.
    func changes(
        _ before: SessionState,
        _ after: SessionState,
        _ now: Timestamp
    ) -> (durable: [LockRecord], refreshed: [LockRecord]) {
        var durable: [LockRecord] = []
        var refreshed: [LockRecord] = []
        for group in after.groups {
            guard let attempt = group.attempts.last else { continue }
            let old = before.find(job: attempt.jobID).map { before.groups[$0.group].attempts[$0.attempt] }
            let isHeard = old?.lastContact != attempt.lastContact
            var holdings: [LockLedger.Holding] = []
            if let lock = attempt.lock, isHeard || old?.lock != lock { holdings.append(.init(lock)) }
            if let balancer = attempt.balancer, isHeard || old?.balancer != balancer {
                holdings.append(.init(balancer, host: attempt.host))
            }
            for report in holdings {
                let known = open[LockRecord.id(attempt.jobID, report.kind)]
                if !report.isHeld, known == nil { continue }
                guard
                    let record = LockLedger.note(
                        report,
                        of: attempt,
                        in: after,
                        group: group.name,
                        record: known,
                        now: now
                    )
                else { continue }
                if known?.isOpen == record.isOpen, known?.wasOn == record.wasOn, known?.evidence == record.evidence {
                    refreshed.append(record)
                } else {
                    durable.append(record)
                }
            }
        }
        return (durable, refreshed)
    }

    /// A balancer of the target that is still stopped by an earlier job, in words; nil when there is none.
    func stoppedBalancer(of target: ResourceKey) -> String? {
        open.values.filter { $0.target == target && $0.isBalancer }.min { ($0.since, $0.id) < ($1.since, $1.id) }
            .map { "\($0.pod) stopped the balancer for session \($0.session), and it is not given back yet" }
    }

    /// Ends what is gone, and has released what its agents don't release.
    ///
    /// - Parameters:
    ///   - now: the coordinator's clock.
    ///   - timings: leases and graces.
    ///   - target: whose locks are looked at; nil: all.
    ///   - isComplete: whether a job has told how it ended.
    ///   - agents: the agents of a target.
    /// - Returns: what has changed; ``keep(_:)`` makes it count.
    mutating func watch(
        _ now: Timestamp,
        _ timings: SessionTimings,
        of target: ResourceKey? = nil,
        isComplete: (String) -> Bool,
        agents: (ResourceKey) -> [AgentSnapshot]
    ) -> [Change] {
        var changes: [Change] = []
        let wanted = open.filter { target == nil || $0.value.target == target }
        for (id, known) in wanted.sorted(by: { $0.key < $1.key }) {
            var record = known
            let decision = LockLedger.decide(
                record,
                isComplete: isComplete(record.jobID),
                agents: agents(record.target),
                now: now,
                timings: timings
            )
            switch decision {
            case .keep:
                continue
            case .ended(let reason):
                record.endedAt = now
                record.endedBy = reason
                changes.append(Change(kind: .ended, record: record, reason: reason))
            case .helpless(let reason):
                let isNews = helpless[id] == nil
                let what =
                    record.isBalancer
                    ? "the balancer of \(record.group) may be stopped" : "member \(record.host) may be locked"
                helpless[id] = "\(what): \(reason)"
                if isNews { changes.append(Change(kind: .helpless, record: record, reason: reason)) }
            case .release(let helper, let reason):
                helpless[id] = nil
                record.beginRelease(helper, now)
                changes.append(Change(kind: .release(pod: helper.pod), record: record, reason: reason))
            }
        }
        return changes
    }

    /// The record that a release job is about, or nil when the job is no release.
    func record(ofRelease jobID: String) -> LockRecord? {
        open.values.first { $0.releases.contains { $0.jobID == jobID } }
    }

    /// The releases that an agent is to carry out.
    func releases(for agentID: String) -> [(record: LockRecord, release: LockRecord.Release)] {
        let own = open.values.compactMap { record -> (record: LockRecord, release: LockRecord.Release)? in
            guard let release = record.releases.last, release.endedAt == nil, release.agentID == agentID else {
                return nil
            }
            return (record, release)
        }
        return own.sorted { $0.record.id < $1.record.id }
    }
}

extension LockRecord {
    /// A member whose node is gone for good can't be released: its record must not grow with every try.
    private static let rememberedReleases = 16
    /// The longest pause between two tries.
    private static let longestPauseMs: Int64 = 600_000

    /// Pause after a try that failed: longer each time, since a member that is away may stay so.
    func releasePause(_ timings: SessionTimings) -> Int64 {
        let failures = max(0, (forgottenReleases ?? 0) + releases.count - 1)
        return min(Self.longestPauseMs, timings.releasePauseMs << Int64(min(failures, 20)))
    }

    /// Sends an agent; an older try that wasn't answered counts as failed.
    mutating func beginRelease(_ helper: AgentSnapshot, _ now: Timestamp) {
        if let last = releases.indices.last, releases[last].endedAt == nil {
            releases[last].endedAt = now
            releases[last].failure = JobFailure(code: "timeout", message: "no answer", isRetryable: true)
        }
        let number = (forgottenReleases ?? 0) + releases.count + 1
        if releases.count == Self.rememberedReleases {
            releases.removeFirst()
            forgottenReleases = (forgottenReleases ?? 0) + 1
        }
        releases.append(
            Release(
                jobID: JobID.make(session: "release \(id)", pod: helper.agentID, attempt: number),
                agentID: helper.agentID,
                pod: helper.pod,
                assignedAt: now
            )
        )
    }

    /// Takes in how a release ended.
    mutating func endRelease(_ jobID: String, _ outcome: JobOutcome, _ now: Timestamp) {
        guard let index = releases.firstIndex(where: { $0.jobID == jobID }) else { return }
        releases[index].endedAt = now
        releases[index].failure = outcome.failure
        guard outcome.failure == nil else { return }
        endedAt = now
        let helper = releases[index].pod
        endedBy = outcome.lock?.endReason.map { "\(helper): \($0)" } ?? "released over the network by \(helper)"
    }
}
