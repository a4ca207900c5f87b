import BackupModel
import Synchronization

/// Counts what a restore has done, from many tasks, for people.
final class RestoreProgress: Sendable {
    private struct State {
        var progress: JobProgress
        var reported: ContinuousClock.Instant
    }

    private let context: any JobContext
    private let state: Mutex<State>

    init(_ context: any JobContext) {
        self.context = context
        state = Mutex(State(progress: JobProgress(), reported: .now - .seconds(1)))
    }

    /// Says how much there is to do.
    func expect(bytes: Int64) {
        state.withLock { $0.progress.bytesTotal = bytes }
    }

    /// Begins a step, like `load shop.orders`.
    func step(_ step: String) {
        context.report(
            state.withLock { state in
                state.progress.step = step
                state.reported = .now
                return state.progress
            }
        )
    }

    /// Adds documents written; reports at most ten times a second.
    func add(bytes: Int64, documents: Int64) {
        let due: JobProgress? = state.withLock { state in
            state.progress.bytesDone += bytes
            state.progress.objects += documents
            guard state.reported.duration(to: .now) >= .milliseconds(100) else { return nil }
            state.reported = .now
            return state.progress
        }
        if let due { context.report(due) }
    }

    /// Writes a line for people.
    func log(_ level: JobLogLevel, _ message: String) { context.log(level, "restore", message) }
}
