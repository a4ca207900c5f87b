import BackupModel

/// What the runner does next: a function of the desired document and the journal, nothing else.
enum JobDecision: Sendable, Equatable {
    /// Run this job now.
    case start(DesiredJob)
    /// A job that was never begun is to be cancelled: report it as cancelled without running it.
    case reportCancelled(DesiredJob)
    /// Nothing to begin.
    case wait

    /// Decides.
    ///
    /// A job in the journal is never begun again, whatever the document says: it is running, or its outcome is being
    /// delivered, or it was.
    static func next(desired jobs: [DesiredJob], journal: JournalContent) -> JobDecision {
        for job in jobs where journal.entry(job.jobID) == nil {
            switch job.desired {
            case .run: return .start(job)
            case .cancel: return .reportCancelled(job)
            case .abort: continue
            }
        }
        return .wait
    }

    /// What the document means for a job that runs: nil to go on.
    static func stopReason(for jobID: String, desired jobs: [DesiredJob]) -> StopReason? {
        guard let job = jobs.first(where: { $0.jobID == jobID }) else { return .aborted }
        return switch job.desired {
        case .run: nil
        case .cancel: .cancelled
        case .abort: .aborted
        }
    }
}
