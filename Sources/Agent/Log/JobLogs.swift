import Synchronization

/// The logs of the jobs that aren't over yet: one object each, however many tasks use it.
final class JobLogs: Sendable {
    let directory: String
    private let open = Mutex<[String: JobLogFile]>([:])

    init(directory: String) {
        self.directory = directory
    }

    /// The log of a job, opened if it isn't.
    func log(of jobID: String) throws -> JobLogFile {
        try open.withLock { open in
            if let file = open[jobID] { return file }
            let file = try JobLogFile(directory: directory, jobID: jobID)
            open[jobID] = file
            return file
        }
    }

    /// Closes a log that nobody will write or send any more; some old ones stay on disk.
    func close(_ jobID: String, needed: [String]) {
        open.withLock { $0[jobID] = nil }
        LogDirectory.prune(directory, keeping: Set(needed))
    }
}
