import Dispatch
import Synchronization

/// Tells how an agent is that has no supervisor: on a queue of its own, so that it answers even when nothing else moves.
public final class HealthResponder: Sendable {
    /// Who hasn't said for so long that he lives, doesn't.
    static let longestSilence: Duration = .seconds(60)

    private struct State {
        var report: HealthReport
        var heardAt: ContinuousClock.Instant
    }

    private let state: Mutex<State>
    /// Set once, in `init`, and cancelled in `deinit`: no two threads ever meet there.
    private nonisolated(unsafe) let source: any DispatchSourceRead

    /// Listens in the state directory.
    ///
    /// - Throws: `AgentError` when it can't be written, or another agent listens there.
    public init(stateDirectory: String) throws {
        let socket = try HealthSocket(stateDirectory: stateDirectory)
        state = Mutex(State(report: HealthReport(.healthy, "the agent begins"), heardAt: .now))
        source = DispatchSource.makeReadSource(
            fileDescriptor: socket.descriptor,
            queue: DispatchQueue(label: "remora.health")
        )
        source.setEventHandler { [weak self] in
            guard let self else { return }
            socket.answer(current())
        }
        source.activate()
    }

    deinit { source.cancel() }

    /// The agent lives, and is like this.
    public func update(_ report: HealthReport) {
        state.withLock { $0 = State(report: report, heardAt: .now) }
    }

    /// What is answered now.
    func current(at now: ContinuousClock.Instant = .now) -> HealthReport {
        state.withLock { state in
            let silence = state.heardAt.duration(to: now)
            guard silence > Self.longestSilence else { return state.report }
            return HealthReport(.stuck, "the agent has not moved for \(silence.components.seconds) s")
        }
    }
}
