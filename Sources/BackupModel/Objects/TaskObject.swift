/// How a kind of target is backed up or restored (kind `Task`), of the whole cluster.
public typealias TaskObject = Resource<TaskSpec>

/// What a `Task` says (Stash's field names).
///
/// Agents of this version run only what is built in. So a task is accepted when it names that, as Stash's own do, and
/// refused when it names anything else. What a configuration wants otherwise stands in its own `task.params`.
public struct TaskSpec: ResourceSpec {
    /// One step.
    public struct Step: Codable, Sendable, Hashable {
        /// Name of a function.
        public var name: String
        /// Accepted and unused: parameters stand in the `BackupConfiguration`.
        public var params: [TaskReference.Parameter]?

        /// Makes one.
        public init(name: String, params: [TaskReference.Parameter]? = nil) {
            self.name = name
            self.params = params
        }
    }

    /// What is done, in this order.
    public var steps: [Step]
    /// Accepted and unused: nothing is staged.
    public var volumes: OpaqueValue?

    /// Makes a spec.
    public init(steps: [Step]) { self.steps = steps }

    /// `Task`.
    public static let kind = "Task"
    /// False.
    public static var isNamespaced: Bool { false }

    /// Why no built-in task has that name.
    public func reasonAgainst(name: String) -> String? {
        BuiltIn.isOne(name, of: BuiltIn.tasks) ? nil : BuiltIn.refusal(name, allowed: BuiltIn.tasks)
    }

    /// What is wrong with it by itself.
    public func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        for (index, step) in steps.enumerated() where !BuiltIn.isOne(step.name, of: BuiltIn.functions) {
            found.append(
                FieldProblem("steps[\(index)].name", BuiltIn.refusal(step.name, allowed: BuiltIn.functions))
            )
        }
        let working = steps.filter { !BuiltIn.isOne($0.name, of: [BuiltIn.reporting]) }.count
        if working != 1, found.isEmpty {
            found.append(
                FieldProblem("steps", "name \(working) functions that do the work; exactly one of them is allowed")
            )
        }
        return found
    }

    /// What is accepted but does nothing: one sentence each, for conditions.
    public var notices: [String] {
        var notices: [String] = []
        for (index, step) in steps.enumerated() where !(step.params ?? []).isEmpty {
            notices.append(
                "spec.steps[\(index)].params is unused: parameters stand in a BackupConfiguration's spec.task"
            )
        }
        if volumes != nil { notices.append("spec.volumes is unused: nothing is staged") }
        return notices
    }
}

extension TaskSpec {
    /// What was observed.
    public typealias Status = ObservedStatus
}
