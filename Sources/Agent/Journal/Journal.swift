import BackupModel

/// The agent's memory of its jobs on disk: what makes a job run at most once and its outcome arrive at least once,
/// whatever dies in between.
///
/// A job begins only after its entry is durable. An end that can't be made durable (full disk) is still kept in memory
/// and told to the coordinator: after a crash the job would then be reported as lost, and the coordinator, which knows
/// better, answers that it has ended already.
actor Journal {
    private let file: DurableFile
    private let executor = QueueExecutor(label: "remora.journal")
    private var content: JournalContent

    /// The content for those who wait for it to change.
    nonisolated let watched: Watched<JournalContent>

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens the journal in `directory` and marks what was running as lost.
    ///
    /// - Parameters:
    ///   - directory: the state directory.
    ///   - knownJobIDs: jobs that left other traces: taken as known when the journal itself can't be read.
    ///   - beforeStep: see `DurableFile`.
    /// - Throws: `AgentError` with code `.stateDirectory`.
    /// - Returns: the journal, and a sentence when the file found there was of no use and was put aside.
    static func open(
        directory: String,
        knownJobIDs: [String] = [],
        beforeStep: @escaping @Sendable (DurableFile.Step) throws -> Void = { _ in }
    ) async throws -> (journal: Journal, problem: String?) {
        let file = DurableFile(directory: directory, name: "journal.json", beforeStep: beforeStep)
        var content = JournalContent()
        var problem: String?
        if let bytes = try file.read() {
            do {
                content = try WireJSON.decode(JournalContent.self, from: bytes)
                guard content.formatVersion == 1 else {
                    throw AgentError(.stateDirectory, "it has format version \(content.formatVersion), not 1")
                }
            } catch {
                let aside = DurableFile(directory: directory, name: "journal.unreadable.json")
                try aside.replace(with: bytes)
                content = JournalContent()
                problem =
                    "the journal \(file.path) can't be read (\(error)): put aside as \(aside.path), "
                    + "going on with an empty one"
                for jobID in knownJobIDs { content.remember(jobID) }
            }
        }
        content.markRunningAsLost()
        let journal = Journal(file: file, content: content)
        try await journal.save(content)
        return (journal, problem)
    }

    private init(file: DurableFile, content: JournalContent) {
        self.file = file
        self.content = content
        watched = Watched(content)
    }

    /// Enters a job that is about to run; false when it is known already.
    func begin(_ job: DesiredJob, unixMs: Int64) throws -> Bool {
        var next = content
        guard next.begin(job, unixMs: unixMs) else { return false }
        try save(next)
        return true
    }

    /// Notes how a job ended; known in memory even when it throws.
    func finish(_ jobID: String, _ outcome: JobOutcome) throws {
        var next = content
        next.finish(jobID, outcome)
        try saveOrKeepInMemory(next)
    }

    /// Notes that the coordinator needs no more to be told of a job; known in memory even when it throws.
    func acknowledge(_ jobID: String) throws {
        var next = content
        next.acknowledge(jobID)
        try saveOrKeepInMemory(next)
    }

    private func saveOrKeepInMemory(_ next: JournalContent) throws {
        do {
            try save(next)
        } catch {
            content = next
            watched.set(next)
            throw error
        }
    }

    private func save(_ next: JournalContent) throws {
        try file.replace(with: WireJSON.encode(next, pretty: true))
        content = next
        watched.set(next)
    }
}
