/// Names, meaning and reading of task parameters: the one table behind validation, documentation and jobs.
public enum TaskParameter: String, CaseIterable, Sendable {
    case consistency, lockBudgetSeconds, lockBudgetOplogShare, parallelism, include, exclude

    /// What the value may be.
    public var allowed: String {
        switch self {
        case .consistency: Consistency.allCases.map(\.rawValue).joined(separator: ", ")
        case .lockBudgetSeconds: "a number of seconds from 1 to 86400"
        case .lockBudgetOplogShare: "a number greater than 0 and at most 1"
        case .parallelism: "a number from 0 (chosen by the engine) to 64"
        case .include, .exclude: "patterns like shop.* or *.sessions, separated by commas"
        }
    }
}

/// A task that doesn't make sense: which field, and why.
public struct TaskError: Error, Sendable, CustomStringConvertible {
    /// The field below `task`, and the sentence.
    public var problem: FieldProblem

    /// Makes one.
    public init(problem: FieldProblem) { self.problem = problem }

    /// Path and sentence.
    public var description: String { problem.description }
}

extension TaskReference {
    /// Whether it names what agents have built in.
    public var isBuiltIn: Bool { BuiltIn.isOne(name, of: BuiltIn.tasks) }

    /// What is wrong with a reference to a `Task` of one's own by itself, by field below `task`.
    var ownProblems: [FieldProblem] {
        var found: [FieldProblem] = []
        if let reason = ResourceName.reasonAgainst(name) { found.append(FieldProblem("name", reason)) }
        var given: Set<String> = []
        for (index, parameter) in (params ?? []).enumerated() {
            let path = "params[\(index)]"
            if let reason = CommandVariable.reasonAgainst(parameter: parameter.name) {
                found.append(FieldProblem("\(path).name", reason))
            }
            if !given.insert(parameter.name).inserted {
                found.append(FieldProblem("\(path).name", "is '\(parameter.name)', which is given twice"))
            }
            if parameter.value.utf8.contains(0) { found.append(FieldProblem("\(path).value", "must not hold a NUL")) }
        }
        return found
    }
}

/// A backup task, read from its name and parameters.
public struct BackupParameters: Sendable, Hashable {
    /// What an agent is told.
    public var spec: BackupSpec

    /// Names of the tasks that exist.
    public static let tasks = ["mongodb-backup"]

    /// Reads a task; nil means the engine's own with its defaults.
    ///
    /// - Throws: ``TaskError`` for an unknown task or parameter, or a value out of range.
    public init(_ task: TaskReference?) throws(TaskError) {
        spec = BackupSpec()
        guard let task else { return }
        try Self.checkName(task.name, allowed: Self.tasks)
        var given: Set<String> = []
        for (index, parameter) in (task.params ?? []).enumerated() {
            guard given.insert(parameter.name).inserted else {
                throw TaskError(
                    problem: FieldProblem("params[\(index)].name", "is '\(parameter.name)', which is given twice")
                )
            }
            guard let known = TaskParameter(rawValue: parameter.name) else {
                let names = TaskParameter.allCases.map(\.rawValue).joined(separator: ", ")
                throw TaskError(
                    problem: FieldProblem("params[\(index)].name", "is '\(parameter.name)'; allowed: \(names)")
                )
            }
            guard apply(known, parameter.value) else {
                throw TaskError(
                    problem: FieldProblem(
                        "params[\(index)].value",
                        "is '\(parameter.value)'; \(known.rawValue) allows \(known.allowed)"
                    )
                )
            }
        }
    }

    /// Refuses a task's name that is not one of these, with or without a server's version behind it.
    public static func checkName(_ name: String, allowed: [String]) throws(TaskError) {
        // Stash's catalogue names carry the server's version behind the task: mongodb-backup-4.2.3.
        guard allowed.contains(where: { name == $0 || name.hasPrefix($0 + "-") }) else {
            throw TaskError(
                problem: FieldProblem("name", "is '\(name)'; allowed: \(allowed.joined(separator: ", "))")
            )
        }
    }

    private mutating func apply(_ parameter: TaskParameter, _ value: String) -> Bool {
        switch parameter {
        case .consistency:
            guard let consistency = Consistency(rawValue: value) else { return false }
            spec.consistency = consistency
        case .lockBudgetSeconds:
            guard let seconds = Int(value), (1...86_400).contains(seconds) else { return false }
            spec.lockBudgetSeconds = seconds
        case .lockBudgetOplogShare:
            guard let share = Double(value), share > 0, share <= 1 else { return false }
            spec.lockBudgetOplogShare = share
        case .parallelism:
            guard let count = Int(value), (0...64).contains(count) else { return false }
            spec.parallelism = count
        case .include:
            spec.selection.include = Self.patterns(value)
        case .exclude:
            spec.selection.exclude = Self.patterns(value)
        }
        return true
    }

    private static func patterns(_ text: String) -> [String] {
        text.split(separator: ",").map { part in
            var part = part
            while part.first == " " { part.removeFirst() }
            while part.last == " " { part.removeLast() }
            return String(part)
        }.filter { !$0.isEmpty }
    }
}
