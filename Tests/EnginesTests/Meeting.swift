import BackupModel
import Synchronization

/// Plays the coordinator for one job of a session with several groups: a test sees its milestones and directs it.
final class Meeting: Sendable {
    private struct State {
        var milestones: [JobMilestone] = []
        var directive = JobDirective()
    }

    private let state = Mutex(State())

    /// What the job has told so far.
    var milestones: [JobMilestone] { state.withLock { $0.milestones } }

    func reach(_ milestone: JobMilestone) { state.withLock { $0.milestones.append(milestone) } }

    /// Tells the job something new of the others.
    func direct(_ directive: JobDirective) { state.withLock { $0.directive = directive } }

    func directive(where accepts: @escaping @Sendable (JobDirective) -> Bool) async throws -> JobDirective {
        while true {
            let now = state.withLock { $0.directive }
            if accepts(now) { return now }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits until the job has reached a stage.
    func reached(_ stage: JobMilestone.Stage) async throws -> JobMilestone {
        while true {
            if let milestone = milestones.last(where: { $0.stage == stage }) { return milestone }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
