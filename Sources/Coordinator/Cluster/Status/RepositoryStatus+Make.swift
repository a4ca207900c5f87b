import BackupModel

/// What storage said of a repository.
struct RepositoryProbe: Sendable {
    /// When it was asked.
    var time: Timestamp
    /// The generation of the object that was asked for.
    var generation: Int64
    /// What is wrong with its secret; nil when nothing is.
    var secretProblem: String?
    /// What is wrong with the storage; nil when nothing is, or nobody asked.
    var storageProblem: String?
    /// The backups in it; nil when they are not known.
    var backups: [BackupView]?
}

extension RepositoryStatus {
    /// What people see of a repository: a function of what was observed, and of the conditions before.
    static func of(
        problem: FieldProblem?,
        probe: RepositoryProbe?,
        users: [User],
        generation: Int64,
        isBeingDeleted: Bool,
        running: Int,
        before: [Condition],
        now: Timestamp
    ) -> RepositoryStatus {
        var status = RepositoryStatus(conditions: before)
        status.observedGeneration = generation
        status.usedBy = users.isEmpty ? nil : Array(users.prefix(maximumUsers))
        func set(_ type: String, _ value: Bool?, _ reason: String, _ message: String) {
            status.conditions.set(
                type,
                value == nil ? .unknown : value == true ? .yes : .no,
                reason: reason,
                message: message.prefix(bytes: StatusLimit.message),
                now: now,
                observedGeneration: generation
            )
        }
        if let backups = probe?.backups { status.show(backups) }
        if isBeingDeleted {
            status.phase = .deleting
            set("Ready", false, "Deleting", "waits for \(running) sessions to stop; backups stay where they are")
            return status
        }
        if let problem {
            status.phase = .notReady
            set("Ready", false, "Invalid", "\(problem)")
            return status
        }
        guard let probe else {
            status.phase = .pending
            set("Ready", nil, "NotYet", "nothing was tried yet")
            return status
        }
        set(
            "CredentialsValid",
            probe.secretProblem == nil ? (probe.backups == nil ? nil : true) : false,
            probe.secretProblem == nil ? "Found" : "SecretNotUsable",
            probe.secretProblem ?? "the secret has what is needed"
        )
        let isReached = probe.storageProblem == nil ? (probe.backups == nil ? nil : true) : false
        set(
            "BackendReachable",
            isReached,
            isReached == true ? "Reachable" : isReached == nil ? "NotYet" : "StorageUnavailable",
            probe.storageProblem
                ?? (isReached == true ? "the storage answers" : "nothing uses it yet, so it was not tried")
        )
        if let problem = probe.secretProblem ?? probe.storageProblem {
            status.phase = .notReady
            set("Ready", false, probe.secretProblem == nil ? "StorageUnavailable" : "SecretNotUsable", problem)
        } else {
            status.phase = .ready
            set(
                "Ready",
                true,
                "Ready",
                isReached == true ? "storage and secret are good" : "the secret is there; nothing uses it yet"
            )
        }
        return status
    }
}
