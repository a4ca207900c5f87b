import BackupModel

/// What one line of the journal says of a job.
struct JournalEntry: Codable, Sendable, Hashable {
    /// How far the job is, as far as this agent is concerned.
    enum State: String, Codable, Sendable {
        /// Begun; if the process finds this when it starts, the job is lost.
        case running
        /// Over: the outcome is waiting for the coordinator to have taken it.
        case finished
        /// The coordinator knows; kept only so that the job is never run again.
        case acknowledged
    }

    var jobID: String
    var fence: Int64
    var session: String
    var state: State
    /// True when an earlier process died while it ran the job.
    var isLost = false
    /// How it ended; nil while it runs.
    var outcome: JobOutcome?
    /// When it began, for people.
    var startedUnixMs: Int64

    init(jobID: String, fence: Int64, session: String, state: State, startedUnixMs: Int64) {
        self.jobID = jobID
        self.fence = fence
        self.session = session
        self.state = state
        self.startedUnixMs = startedUnixMs
    }
}

/// The journal as a value: every job this agent has begun and not yet forgotten, oldest first.
struct JournalContent: Codable, Sendable, Hashable {
    /// Acknowledged jobs that are remembered: far more than a coordinator could still have in an old document.
    static let rememberedJobs = 256

    var formatVersion = 1
    private(set) var entries: [JournalEntry] = []

    init() {}

    /// What is known of one job.
    func entry(_ jobID: String) -> JournalEntry? {
        entries.first { $0.jobID == jobID }
    }

    /// Jobs whose outcome the coordinator hasn't taken yet, oldest first.
    var undelivered: [JournalEntry] {
        entries.filter { $0.state == .finished }
    }

    /// What is told to the coordinator.
    var reports: [JobReport] {
        entries.compactMap { entry in
            switch entry.state {
            case .running: JobReport(jobID: entry.jobID, state: .running, fence: entry.fence)
            case .finished:
                JobReport(jobID: entry.jobID, state: entry.isLost ? .lost : .finished, fence: entry.fence)
            case .acknowledged: nil
            }
        }
    }

    /// Enters a job that is about to run.
    ///
    /// - Returns: false when the job is known already: it must not run again.
    mutating func begin(_ job: DesiredJob, unixMs: Int64) -> Bool {
        guard entry(job.jobID) == nil else { return false }
        entries.append(
            JournalEntry(
                jobID: job.jobID,
                fence: job.fence,
                session: job.session,
                state: .running,
                startedUnixMs: unixMs
            )
        )
        return true
    }

    /// Notes how a job ended.
    mutating func finish(_ jobID: String, _ outcome: JobOutcome) {
        change(jobID) { entry in
            guard entry.state == .running else { return }
            entry.state = .finished
            entry.outcome = outcome
        }
    }

    /// Notes that the coordinator has taken the outcome (or wants none), and forgets the oldest of such jobs.
    mutating func acknowledge(_ jobID: String) {
        change(jobID) { entry in
            entry.state = .acknowledged
            entry.outcome = nil
        }
        var surplus = entries.count { $0.state == .acknowledged } - Self.rememberedJobs
        entries.removeAll { entry in
            guard surplus > 0, entry.state == .acknowledged else { return false }
            surplus -= 1
            return true
        }
    }

    /// The process starts: what was running is lost.
    mutating func markRunningAsLost() {
        for index in entries.indices where entries[index].state == .running {
            entries[index].state = .finished
            entries[index].isLost = true
            entries[index].outcome = JobOutcome(failure: .lost)
        }
    }

    /// Enters a job of which nothing but its id is known, so that it isn't run again.
    mutating func remember(_ jobID: String) {
        guard entry(jobID) == nil else { return }
        entries.append(JournalEntry(jobID: jobID, fence: 0, session: "", state: .acknowledged, startedUnixMs: 0))
    }

    private mutating func change(_ jobID: String, _ body: (inout JournalEntry) -> Void) {
        guard let index = entries.firstIndex(where: { $0.jobID == jobID }) else { return }
        body(&entries[index])
    }
}
