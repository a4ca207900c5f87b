import Synchronization

/// What the played agents saw, kept for the figures.
final class Records: Sendable {
    private struct State {
        /// When each agent was first answered in an epoch.
        var heard: [String: (epoch: Int64, at: ContinuousClock.Instant)] = [:]
        /// When the coordinator had taken each job's first heartbeat.
        var running: [String: ContinuousClock.Instant] = [:]
        var completed: Set<String> = []
        var failures: [String: Int] = [:]
        /// Seconds that calls about jobs took.
        var calls: [Double] = []
    }

    private let state = Mutex(State())

    /// A check-in was answered in an epoch.
    func heard(_ agent: String, epoch: Int64) {
        state.withLock { state in
            if state.heard[agent].map({ $0.epoch < epoch }) ?? true { state.heard[agent] = (epoch, .now) }
        }
    }

    /// A job's first heartbeat was taken.
    func isRunning(_ jobID: String) { state.withLock { $0.running[jobID] = .now } }

    /// A job's outcome was taken.
    func isCompleted(_ jobID: String) { state.withLock { _ = $0.completed.insert(jobID) } }

    /// A call failed.
    func failed(_ name: String) { state.withLock { $0.failures[name, default: 0] += 1 } }

    /// A call about a job was answered.
    func called(since start: ContinuousClock.Instant) {
        state.withLock { $0.calls.append((ContinuousClock.now - start) / .seconds(1)) }
    }

    /// When agents were heard first after `epoch`.
    func heard(after epoch: Int64) -> [ContinuousClock.Instant] {
        state.withLock { $0.heard.values.filter { $0.epoch > epoch }.map(\.at) }
    }

    /// Jobs whose outcome was taken in this round.
    var completed: Int { state.withLock { $0.completed.count } }

    /// What is known of this round; the next one begins.
    func take() -> (running: [ContinuousClock.Instant], calls: [Double], failures: [String: Int]) {
        state.withLock { state in
            defer {
                state.running = [:]
                state.completed = []
                state.calls = []
                state.failures = [:]
            }
            return (Array(state.running.values), state.calls, state.failures)
        }
    }
}
