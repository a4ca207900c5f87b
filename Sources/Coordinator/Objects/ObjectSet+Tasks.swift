import BackupModel

// From a task's name to what agents run.
extension ObjectSet {
    /// What agents of an engine run for a task; nil for an engine that is built in, whose agents know it themselves.
    ///
    /// - Parameters:
    ///   - task: how whoever wants it names it.
    ///   - engine: the target's.
    ///   - stream: whether it is to be a backup or a restore.
    /// - Returns: the recipe.
    /// - Throws: `TaskError`: which field below `task`, and what there is instead.
    func recipe(
        for task: TaskReference?,
        engine: String,
        _ stream: CommandStream
    ) throws(TaskError) -> CommandRecipe? {
        if BuiltIn.engines.contains(engine) {
            if let task {
                let allowed = stream == .backup ? BackupParameters.tasks : RestoreSessionSpec.tasks
                try BackupParameters.checkName(task.name, allowed: allowed)
            }
            return nil
        }
        guard let task else {
            throw Self.problem(
                "name",
                "is missing: nothing is built in for \(engine), so name a Task of yours; \(known(stream))"
            )
        }
        if task.isBuiltIn {
            throw Self.problem(
                "name",
                "is '\(task.name)', which is for \(BuiltIn.engines.joined(separator: ", ")), and the target's type is "
                    + "\(engine): name a Task of yours; \(known(stream))"
            )
        }
        guard let object = tasks[Self.key(task.name)], let step = object.spec.workingStep else {
            throw Self.problem("name", "names Task \(task.name), which does not exist or is wrong; \(known(stream))")
        }
        guard let function = functions[Self.key(step.name)] else {
            throw Self.problem(
                "name",
                "names Task \(task.name), whose Function \(step.name) does not exist or is wrong"
            )
        }
        guard function.spec.stream == stream else {
            throw Self.problem(
                "name",
                "names Task \(task.name), whose Function \(step.name) has stream "
                    + "\(function.spec.stream?.rawValue ?? "none"), and this needs \(stream.rawValue); \(known(stream))"
            )
        }
        let parameters = try Self.parameters(task, step, function)
        guard let recipe = function.spec.recipe(name: step.name, parameters: parameters) else {
            throw Self.problem("name", "names Task \(task.name), whose Function \(step.name) makes no sense")
        }
        return recipe
    }

    /// The values of a function's parameters: the task's own, and over them those of whoever names it.
    private static func parameters(
        _ task: TaskReference,
        _ step: TaskSpec.Step,
        _ function: FunctionObject
    ) throws(TaskError) -> [String: String] {
        let used = function.spec.parameters
        let names = used.isEmpty ? "it has none" : "it has: \(used.sorted().joined(separator: ", "))"
        var values: [String: String] = [:]
        for parameter in step.params ?? [] {
            guard used.contains(parameter.name) else {
                throw problem(
                    "name",
                    "names Task \(task.name), which gives Function \(step.name) the parameter '\(parameter.name)'; \(names)"
                )
            }
            values[parameter.name] = parameter.value
        }
        for (index, parameter) in (task.params ?? []).enumerated() {
            guard used.contains(parameter.name) else {
                throw problem(
                    "params[\(index)].name",
                    "is '\(parameter.name)', which is no parameter of Function \(step.name); \(names)"
                )
            }
            values[parameter.name] = parameter.value
        }
        let missing = used.subtracting(values.keys).sorted()
        guard missing.isEmpty else {
            throw problem(
                "params",
                "must give a value to \(missing.joined(separator: ", ")): Function \(step.name) uses it"
            )
        }
        return values
    }

    /// What is wrong with a configuration's or a restore's task, for an object's condition.
    ///
    /// Of a target that doesn't exist nothing: that is told already.
    func taskProblem(
        _ task: TaskReference?,
        target: TargetReference,
        in namespace: String,
        _ stream: CommandStream
    ) -> FieldProblem? {
        guard let binding = bindings[ResourceKey(namespace: namespace, name: target.ref.name)] else { return nil }
        do {
            _ = try recipe(for: task, engine: binding.spec.engine, stream)
            return nil
        } catch {
            return FieldProblem("spec.task." + error.problem.path, error.problem.message)
        }
    }

    /// The tasks that there are for a stream, in words.
    private func known(_ stream: CommandStream) -> String {
        let names = tasks.values.filter { task in
            task.spec.workingStep.map { functions[Self.key($0.name)]?.spec.stream == stream } ?? false
        }.map(\.metadata.name).sorted()
        return names.isEmpty
            ? "there is none with a Function whose stream is \(stream.rawValue)"
            : "there are: \(names.joined(separator: ", "))"
    }

    /// Tasks and functions live in no namespace.
    private static func key(_ name: String) -> ResourceKey { ResourceKey(namespace: "", name: name) }

    private static func problem(_ path: String, _ message: String) -> TaskError {
        TaskError(problem: FieldProblem(path, message))
    }
}
