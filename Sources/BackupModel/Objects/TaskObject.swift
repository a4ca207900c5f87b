/// How a kind of target is backed up or restored (kind `Task`), of the whole cluster.
public typealias TaskObject = Resource<TaskSpec>

/// What a `Task` says (Stash's field names).
///
/// One of your own names the one `Function` that does the work. A task with a built-in name may only name built-in
/// functions, as Stash's own do.
public struct TaskSpec: ResourceSpec {
    /// One step.
    public struct Step: Codable, Sendable, Hashable {
        /// Name of a function.
        public var name: String
        /// Values of the function's parameters where whoever names the task gives none; unused where it is built in.
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

    /// Why it can't have that name: built-in names belong to tasks of built-in functions, all others to those of yours.
    public func reasonAgainst(name: String) -> String? {
        guard let step = workingStep else { return nil }
        let isBuiltIn = BuiltIn.isOne(name, of: BuiltIn.tasks)
        guard isBuiltIn != BuiltIn.isOne(step.name, of: BuiltIn.functions) else { return nil }
        return isBuiltIn
            ? "is '\(name)', which is built in (\(BuiltIn.list(BuiltIn.tasks))); give yours another name"
            : "is '\(name)', and its function \(step.name) is built in, for which there are the tasks "
                + BuiltIn.list(BuiltIn.tasks)
    }

    /// The step that does the work.
    public var workingStep: Step? { steps.first { !BuiltIn.isOne($0.name, of: [BuiltIn.reporting]) } }

    /// What is wrong with it by itself.
    public func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        for (index, step) in steps.enumerated() {
            if let reason = ResourceName.reasonAgainst(step.name) {
                found.append(FieldProblem("steps[\(index)].name", reason))
            }
            guard !BuiltIn.isOne(step.name, of: BuiltIn.functions) else { continue }
            found += TaskReference(name: step.name, params: step.params).ownProblems
                .map { FieldProblem("steps[\(index)].\($0.path)", $0.message) }
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
        for (index, step) in steps.enumerated()
        where !(step.params ?? []).isEmpty && BuiltIn.isOne(step.name, of: BuiltIn.functions) {
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
