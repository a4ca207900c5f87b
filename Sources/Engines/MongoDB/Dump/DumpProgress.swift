import BackupModel
import Repository
import Synchronization

/// Adds up what many readers do and reports it, at most five times a second.
final class DumpProgress: Sendable {
    private struct State {
        var progress: JobProgress
        var lastReport: ContinuousClock.Instant
    }

    private let state: Mutex<State>
    private let context: any JobContext
    private let writer: SnapshotWriter

    init(context: any JobContext, writer: SnapshotWriter) {
        self.context = context
        self.writer = writer
        state = Mutex(State(progress: JobProgress(step: "dump"), lastReport: .now))
    }

    /// Counts one batch.
    func add(_ step: String, bytes: Int64, documents: Int64) {
        let report = state.withLock { state -> JobProgress? in
            state.progress.bytesDone += bytes
            state.progress.objects += documents
            state.progress.step = step
            guard state.lastReport.duration(to: .now) > .milliseconds(200) else { return nil }
            state.lastReport = .now
            return state.progress
        }
        guard var report else { return }
        report.bytesUploaded = Int64(clamping: writer.statistics.bytesUploaded)
        context.report(report)
    }

    /// Reports a step at once.
    func step(_ text: String) {
        var report = state.withLock { state in
            state.progress.step = text
            state.lastReport = .now
            return state.progress
        }
        report.bytesUploaded = Int64(clamping: writer.statistics.bytesUploaded)
        context.report(report)
    }

    /// Begins a dump of so many bytes by the server's estimate, and forgets what was counted of one before.
    func begin(total: Int64) {
        state.withLock {
            $0.progress.bytesTotal = total
            $0.progress.bytesDone = 0
            $0.progress.objects = 0
        }
    }
}
