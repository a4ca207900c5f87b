import BackupModel

extension SessionState {
    /// What people see.
    func view(events: [SessionEventView], now: Timestamp, version: String) -> SessionView {
        var view = SessionView(
            kind: kind,
            namespace: key.namespace,
            name: key.name,
            target: plan.target,
            repository: plan.repository.description,
            phase: phase,
            startTime: created
        )
        view.configuration = plan.configuration
        let verdict = outcome ?? stopping
        view.reason = verdict?.reason ?? (waitingFor == nil ? nil : "Waiting")
        view.message = verdict?.message ?? waitingFor.map { "waits for \($0)" } ?? waitingReason
        view.endTime = ended
        view.durationSeconds = max(0, (ended ?? now).milliseconds(since: created) / 1000)
        view.deadline = isOver ? nil : deadline
        view.requestedBy = plan.requestedBy
        view.hosts = groups.flatMap { group in group.attempts.map { $0.view(group: group.name) } }
        if kind == .backup, phase == .succeeded, let manifest = ManifestMaker.make(self, writtenBy: version) {
            view.manifest = BackupView(manifest)
        }
        view.source = sourceSession
        view.conditions = conditions
        view.events = events
        return view
    }

    private var waitingReason: String? {
        groups.compactMap(\.unassignableReason).first.map { "waits for a member: \($0)" }
    }

    /// The contract of the status: one summary, and what stands behind it.
    var conditions: [Condition] {
        var conditions: [Condition] = []
        let since = ended ?? created
        func set(_ type: String, _ value: Bool?, _ reason: String, _ message: String) {
            let status: Condition.Status = value == nil ? .unknown : value == true ? .yes : .no
            conditions.set(type, status, reason: reason, message: message, now: since)
        }
        let isAssigned = groups.contains { !$0.attempts.isEmpty }
        set("AgentAssigned", isAssigned, isAssigned ? "Assigned" : "NotYet", groups.last?.attempts.last?.choice ?? "")
        if kind == .backup {
            let isUploaded = !groups.isEmpty && groups.allSatisfy(\.isDone)
            set("DataUploaded", isUploaded, isUploaded ? "Done" : "NotYet", "")
            let isWritten = phase == .succeeded || (stage == .cleaning && outcome?.phase == .succeeded)
            set("ManifestCommitted", isWritten, isWritten ? "Written" : "NotYet", "")
        }
        let verdict = outcome ?? stopping
        set(
            "Succeeded",
            isOver ? phase == .succeeded : nil,
            verdict?.reason ?? "Running",
            verdict?.message ?? waitingFor ?? ""
        )
        return conditions
    }
}

extension Attempt {
    /// What people see.
    func view(group: String) -> HostView {
        var view = HostView(
            pod: pod,
            host: host,
            group: group,
            jobID: jobID,
            attempt: number,
            fence: fence,
            phase: phase,
            startTime: assignedAt
        )
        view.role = role
        view.choice = choice
        view.progress = progress
        view.lock = lock
        view.backup = outcome?.backup
        view.restore = outcome?.restore
        view.failure = failure ?? outcome?.failure
        view.logBytes = logBytes
        view.endTime = endedAt
        return view
    }
}
