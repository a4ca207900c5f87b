import BackupModel

/// Why a running job has to stop before its work is done.
///
/// The first reason counts.
enum StopReason: Sendable, Hashable {
    /// The coordinator wants it stopped in good order.
    case cancelled
    /// The coordinator wants it gone at once, or has forgotten it.
    case aborted
    /// The fence isn't current any more: somebody else does this work.
    case superseded
    /// A restore lost its lease.
    case leaseLapsed
    /// No contact for longer than allowed.
    case disconnected
    /// The session's time is up.
    case deadline
    /// The agent's process is asked to end.
    case shutdown
    /// The coordinator refused a call of the job for good.
    case refused(JobFailure)

    /// What is reported; nil when nobody waits for a report.
    func failure(after limit: Duration? = nil) -> JobFailure? {
        let time = limit.map { " (\($0.formattedSeconds))" } ?? ""
        switch self {
        case .aborted, .superseded: return nil
        case .refused(let failure): return failure
        case .cancelled:
            return JobFailure(code: "cancelled", message: "cancelled on request", isRetryable: false)
        case .leaseLapsed:
            return JobFailure(
                code: "leaseLapsed",
                message: "the restore was stopped because the coordinator could not be reached for longer than the "
                    + "lease\(time), so the target may be half restored: restore again when it is back",
                isRetryable: false
            )
        case .disconnected:
            return JobFailure(
                code: "disconnected",
                message: "given up because the coordinator could not be reached for longer than allowed\(time)",
                isRetryable: true
            )
        case .deadline:
            return JobFailure(
                code: "deadlineExceeded",
                message: "given up because the session's time was up\(time); allow it more time (timeOut), or make it "
                    + "faster",
                isRetryable: false
            )
        case .shutdown:
            return JobFailure(
                code: "agentStopped",
                message: "stopped because the agent was asked to end, as when its pod is deleted or restarted",
                isRetryable: true
            )
        }
    }
}

extension JobFailure {
    /// The process died while it ran the job.
    static let lost = JobFailure(
        code: lostCode,
        message: "the agent's process ended while the job ran (killed, out of memory, or the node went away)",
        isRetryable: true
    )
}

extension Duration {
    /// Like `90 s`.
    var formattedSeconds: String {
        let (seconds, attoseconds) = components
        if seconds >= 10 || attoseconds == 0 { return "\(seconds) s" }
        return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000) ms"
    }
}
