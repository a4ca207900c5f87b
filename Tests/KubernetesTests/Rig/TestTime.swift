import BackupModel
import Kubernetes
import Synchronization
import TestSupport

/// Time in which every pause is over at once, and is remembered.
final class QuickTime: Sendable {
    private let state = Mutex<(now: Duration, pauses: [Duration])>((.zero, []))
    private let chance: Double

    init(chance: Double = 1) { self.chance = chance }

    var pauses: [Duration] { state.withLock { $0.pauses } }
    func advance(_ duration: Duration) { state.withLock { $0.now += duration } }

    var source: TimeSource {
        TimeSource(
            elapsed: { self.state.withLock { $0.now } },
            sleep: { duration in
                try Task.checkCancellation()
                self.state.withLock { state in
                    state.now += duration
                    state.pauses.append(duration)
                }
                await Task.yield()
            },
            chance: { self.chance },
            wallClock: { Timestamp(unixMs: 1_787_392_800_250) }
        )
    }
}

/// Time that only goes on when the test says so.
final class SteppedTime: Sendable {
    private struct State {
        var now = Duration.zero
        var nextID = 0
        var sleepers: [Int: (due: Duration, continuation: CheckedContinuation<Void, any Error>)] = [:]
    }

    private let state = Mutex(State())

    var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    /// Waits until so many tasks sleep, then lets time go on.
    func step(_ duration: Duration, sleepers: Int) async throws {
        try await eventually("\(sleepers) tasks sleep", every: .milliseconds(1)) { sleeperCount >= sleepers }
        advance(duration)
    }

    func advance(_ duration: Duration) {
        let woken = state.withLock { state in
            state.now += duration
            let due = state.sleepers.filter { $0.value.due <= state.now }
            for id in due.keys { state.sleepers[id] = nil }
            return due.values.sorted { $0.due < $1.due }
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }

    private func sleep(_ duration: Duration) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if duration <= .zero { return .success(()) }
                    state.sleepers[id] = (state.now + duration, continuation)
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let sleeper = state.withLock { $0.sleepers.removeValue(forKey: id) }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    var source: TimeSource {
        TimeSource(
            elapsed: { self.state.withLock { $0.now } },
            sleep: { try await self.sleep($0) },
            chance: { 0 },
            wallClock: {
                let now = self.state.withLock { $0.now }
                return Timestamp(unixMs: 1_787_392_800_250 + Int64(now / .milliseconds(1)))
            }
        )
    }
}
