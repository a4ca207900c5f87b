import BackupModel

extension SessionStatus {
    /// What people see of a session: a function of its state alone, so that whoever leads writes the same.
    ///
    /// - Parameters:
    ///   - session: the state.
    ///   - now: the coordinator's clock, for what is under way.
    /// - Returns: the status without epoch and record.
    static func of(_ session: SessionState, now: Timestamp) -> SessionStatus {
        var status = SessionStatus(
            phase: session.phase,
            conditions: session.conditions.map { $0.fitted },
            startTime: session.created,
            completionTime: session.ended
        )
        status.deadlineTime = session.deadline
        status.durationSeconds = max(0, (session.ended ?? now).milliseconds(since: session.created) / 1000)
        status.attempt = session.groups.compactMap { $0.attempts.last?.number }.max()
        status.nextAttemptTime =
            session.isOver ? nil : session.notBefore ?? session.groups.compactMap(\.notBefore).min()
        let isArchived =
            session.isOver && session.groups.contains { !$0.attempts.isEmpty } && !session.hasRepositoryLocks
        let hosts = newest(session).map { attempt, group in
            let host = SessionHost(
                attempt.view(group: group),
                // Another pod may have the name by now.
                podUID: attempt.agentID,
                now: attempt.lastContact,
                isArchived: isArchived
            )
            return host.fitted
        }
        status.hosts = hosts.isEmpty ? nil : hosts
        let live = Set(session.groups.compactMap { $0.attempts.last?.jobID })
        status.progress = SessionProgress.sum(hosts.filter { live.contains($0.jobID) }.compactMap(\.progress))
        if session.kind == .backup, session.phase == .succeeded || session.outcome?.phase == .succeeded,
            let manifest = ManifestMaker.make(session, writtenBy: "")
        {
            status.snapshot = SessionSnapshot(BackupView(manifest)).fitted
        } else if let source = session.sourceSession {
            let key = ResourceKey(source)
            status.snapshot = SessionSnapshot(session: key?.name ?? source, namespace: key?.namespace)
        }
        return status
    }

    /// The newest attempt on every pod, in the order of the groups; of very many pods the first.
    private static func newest(_ session: SessionState) -> [(Attempt, String)] {
        var seen: Set<String> = []
        var found: [(Attempt, String)] = []
        for group in session.groups {
            for attempt in group.attempts.reversed() where seen.insert(attempt.pod).inserted {
                found.append((attempt, group.name))
            }
        }
        return Array(found.prefix(maximumHosts))
    }
}

/// The longest texts that the schemas of our objects take, in characters: one that is longer would keep a whole status
/// from being stored.
enum StatusLimit {
    static let message = 1024
    static let reason = 256
    static let host = 300
}

extension Condition {
    /// With texts that the schema takes.
    var fitted: Condition {
        var condition = self
        condition.message = message.prefix(bytes: StatusLimit.message)
        condition.reason = Self.reason(reason)
        return condition
    }

    /// Reasons are one word with a capital letter; anything else would be refused.
    private static func reason(_ text: String) -> String {
        let letters = text.unicodeScalars.filter { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9") ~= $0) }
        let word = String(String.UnicodeScalarView(letters)).prefix(bytes: StatusLimit.reason)
        guard let first = word.first, first.isLetter else { return "Unknown" }
        return first.uppercased() + word.dropFirst()
    }
}

extension SessionHost {
    /// With texts that the schema takes.
    var fitted: SessionHost {
        var host = self
        host.host = self.host?.prefix(bytes: StatusLimit.host)
        host.choice = choice?.prefix(bytes: StatusLimit.message)
        host.error?.message = (error?.message ?? "").prefix(bytes: StatusLimit.message)
        host.progress?.step = progress?.step?.prefix(bytes: StatusLimit.message)
        return host
    }
}

extension SessionSnapshot {
    /// With no more groups than the schema takes.
    var fitted: SessionSnapshot {
        var snapshot = self
        snapshot.groups = groups.map { Array($0.prefix(SessionStatus.maximumHosts)) }
        return snapshot
    }
}
