import BackupModel
import Engines

/// Waits for a session's end and shows how it goes.
struct SessionWatch: Sendable {
    let client: CoordinatorClient
    let key: ResourceKey
    let display: ProgressDisplay
    /// Lines of all pods too.
    let showsLogs: Bool

    /// Between looks.
    private static let interval = Duration.milliseconds(500)
    /// A coordinator that restarts is away for seconds; one that is away longer needs somebody to look.
    private static let patience = Duration.seconds(300)

    /// Waits until the session is over; a coordinator that is away meanwhile is waited for too.
    func run() async throws -> SessionView {
        defer { display.finish() }
        guard showsLogs else { return try await poll() }
        return try await withThrowingTaskGroup(of: SessionView?.self) { group in
            group.addTask { try await poll() }
            group.addTask {
                try await tail()
                return nil
            }
            defer { group.cancelAll() }
            while let ended = try await group.next() {
                guard let ended else { continue }
                // The last lines are on their way: the tail ends by itself with the session.
                group.addTask {
                    try await Task.sleep(for: .seconds(5))
                    return nil
                }
                _ = try await group.next()
                return ended
            }
            throw CancellationError()
        }
    }

    private func poll() async throws -> SessionView {
        let start = ContinuousClock.now
        var meters: [String: RateMeter] = [:]
        var lastAnswer = start
        while true {
            do {
                let session = try await client.session(key)
                lastAnswer = .now
                let time = ContinuousClock.now - start
                if session.phase.isFinal { return session }
                display.update(
                    SessionText.title(session),
                    phase: session.phase.rawValue,
                    rows: SessionText.rows(session, &meters, at: time),
                    at: time
                )
            } catch let failure as CommandFailure where failure.status == .unreachable {
                guard ContinuousClock.now - lastAnswer < Self.patience else {
                    throw CommandFailure(
                        .unreachable,
                        "lost the coordinator while waiting for \(key): \(failure.message)",
                        hint: "the session may go on: remora describe \(key)"
                    )
                }
                display.update(
                    "\("waiting for the coordinator", .caution): \(failure.message)",
                    phase: "unreachable",
                    rows: [],
                    at: ContinuousClock.now - start
                )
            }
            try await Task.sleep(for: Self.interval)
        }
    }

    private func tail() async throws {
        let clock = Surroundings.current.clock
        try await LogTail(client: client, key: key, pod: nil, level: JobLogLevel.info.rawValue).run { line in
            display.say(LogText.line(line, clock: clock, namesPod: true))
        }
    }
}
