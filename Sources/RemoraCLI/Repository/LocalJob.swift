import BackupModel
import Engines
import Synchronization

/// A job without a coordinator: its log goes to standard error, its lease never lapses.
final class LocalJob: JobContext {
    let jobID: String
    private let display: ProgressDisplay
    private let clock: Clock
    private let minimumLevel: JobLogLevel
    private let state = Mutex(State())

    private struct State {
        var progress = JobProgress()
        var lock: LockReport?
        var meter = RateMeter()
    }

    init(display: ProgressDisplay, clock: Clock, minimumLevel: JobLogLevel) {
        jobID = "manual-\(String(UInt64.random(in: .min ... .max), radix: 16))"
        self.display = display
        self.clock = clock
        self.minimumLevel = minimumLevel
    }

    func log(_ level: JobLogLevel, _ component: String, _ message: String) {
        guard level >= minimumLevel else { return }
        let line = LogLine(t: clock.now().unixMs, level: level.rawValue, component: component, message: message)
        display.say(LogText.line(PodLogLine(pod: "", line: line), clock: clock, namesPod: false))
    }

    func report(_ progress: JobProgress) { state.withLock { $0.progress = progress } }

    /// Replaces the step alone.
    func report(step: String) { state.withLock { $0.progress.step = step } }

    func report(_ lock: LockReport) { state.withLock { $0.lock = lock } }

    /// Nobody else has a part in a job by hand: there is no balancer to stop, and nobody to wait for.
    func report(_ balancer: BalancerReport) {}
    func reach(_ milestone: JobMilestone) {}
    func recorded() async throws {}
    func directive(where accepts: @escaping @Sendable (JobDirective) -> Bool) async throws -> JobDirective {
        throw JobFailure(
            code: "unsupported",
            message: "a job without a coordinator has no other jobs to wait for",
            isRetryable: false
        )
    }

    func leaseLapse() async throws {
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    /// Does `body` while its progress is shown.
    func shown<Result: Sendable>(
        as title: StyledText,
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let start = ContinuousClock.now
        let drawing = Task {
            while !Task.isCancelled {
                draw(title, at: ContinuousClock.now - start)
                do { try await Task.sleep(for: .milliseconds(250)) } catch { return }
            }
        }
        do {
            let result = try await body()
            await stop(drawing)
            return result
        } catch {
            await stop(drawing)
            throw error
        }
    }

    private func stop(_ drawing: Task<Void, Never>) async {
        drawing.cancel()
        await drawing.value
        display.finish()
    }

    private func draw(_ title: StyledText, at time: Duration) {
        let row = state.withLock { state in
            state.meter.add(state.progress.bytesDone, at: time)
            var row = ProgressRow(name: "", state: "starting")
            row.progress = state.progress
            row.lock = state.lock
            row.bytesPerSecond = state.meter.perSecond
            return row
        }
        display.update(
            "\(title), \(Format.duration(seconds: time.components.seconds))",
            phase: row.progress?.step.split(separator: " ").first.map(String.init) ?? "",
            rows: [row],
            at: time
        )
    }
}
