/// One run of a restore into a whole target (kind `RestoreSession`).
public typealias RestoreSession = Resource<RestoreSessionSpec>

/// What a `RestoreSession` wants; only `cancel` ever changes, and only to true.
public struct RestoreSessionSpec: ResourceSpec {
    /// How: `mongodb-restore` with the parameter `parallelism`, or a `Task` of your own.
    public var task: TaskReference?
    /// Where from.
    ///
    /// Absent: the repository of the target's only BackupConfiguration.
    public var repository: ResourceReference?
    /// Where to, and in its rules what to take (`snapshots`), as Stash has it.
    public var target: TargetReference
    /// What to take: a session's name, a snapshot's id, or `latest`.
    ///
    /// Absent: the target's rule, else `latest`.
    public var from: String?
    /// The target whose backup is taken, when it isn't the one that is restored.
    public var source: String?
    /// What to do with a target that isn't empty.
    ///
    /// Absent: `FailIfNotEmpty`.
    public var conflict: RestoreSpec.Conflict?
    /// Only these namespaces; patterns `db.collection` with `*`.
    public var include: [String]?
    /// Not these.
    public var exclude: [String]?
    /// Under other names.
    public var renames: [NamespaceSelection.Rename]?
    /// Users and roles too.
    ///
    /// Absent: true when everything is restored, else false.
    public var usersAndRoles: Bool?
    /// The only group of a sharded backup that is taken, into a target of one group.
    ///
    /// Absent: all of them.
    public var group: String?
    /// Groups of the backup → of the target, where they aren't called the same.
    public var groups: [String: String]?
    /// The longest it may take.
    ///
    /// Absent: 24h.
    public var timeOut: GoDuration?
    /// Who asked, for people.
    public var requestedBy: String?
    /// True: stop it.
    public var cancel: Bool?
    /// Accepted and unused: everything streams.
    public var interimVolumeTemplate: OpaqueValue?

    /// Makes a spec.
    public init(target: String, from: String? = nil, conflict: RestoreSpec.Conflict? = nil) {
        self.target = TargetReference(name: target)
        self.from = from
        self.conflict = conflict
    }

    /// `RestoreSession`.
    public static let kind = "RestoreSession"
    /// Made from a configuration's name and a minute.
    public static var maximumNameBytes: Int { ResourceName.maximumSessionBytes }
    /// Names of the tasks that exist.
    public static let tasks = ["mongodb-restore"]

    /// What is wrong with it by itself.
    public func problems() -> [FieldProblem] {
        var found = target.problems().map { FieldProblem("target." + $0.path, $0.message) }
        let rules = target.rules ?? []
        if rules.count > 1 {
            found.append(FieldProblem("target.rules", "has \(rules.count) rules; one is allowed: a target is one host"))
        }
        if let snapshots = rules.first?.snapshots, snapshots.count != 1 {
            found.append(
                FieldProblem("target.rules[0].snapshots", "has \(snapshots.count) entries; exactly one is needed")
            )
        }
        if from != nil, rules.first?.snapshots != nil {
            found.append(FieldProblem("from", "and target.rules both say what to take; give only one of them"))
        }
        if let from, from.isEmpty {
            found.append(FieldProblem("from", "must be a session's name, a snapshot's id, or latest"))
        }
        if let value = timeOut, value.milliseconds < 1000 {
            found.append(FieldProblem("timeOut", "must be at least 1s"))
        }
        for (index, rename) in (renames ?? []).enumerated() {
            let stars = { (text: String) in text.filter { $0 == "*" }.count }
            if rename.from.isEmpty || rename.to.isEmpty || stars(rename.from) != stars(rename.to) {
                found.append(
                    FieldProblem("renames[\(index)]", "needs from and to with the same number of '*' in both")
                )
            }
        }
        if group != nil, groups != nil {
            found.append(FieldProblem("group", "and groups both say what goes where; give only one of them"))
        }
        if let groups, Set(groups.values).count != groups.count {
            found.append(FieldProblem("groups", "sends two groups of the backup to one of the target"))
        }
        if usersAndRoles == true, !selection.isEverything {
            found.append(
                FieldProblem("usersAndRoles", "needs the whole backup: remove include, exclude and renames")
            )
        }
        if let task, !task.isBuiltIn {
            found += task.ownProblems.map { FieldProblem("task." + $0.path, $0.message) }
            return found
        }
        do {
            _ = try parallelism
        } catch {
            found.append(FieldProblem("task." + error.problem.path, error.problem.message))
        }
        return found
    }

    /// Which namespaces, under which names.
    public var selection: NamespaceSelection {
        NamespaceSelection(include: include ?? [], exclude: exclude ?? [], renames: renames ?? [])
    }

    /// What to take: a session's name, a snapshot's id, or `latest`.
    public var effectiveFrom: String { from ?? target.rules?.first?.snapshots?.first ?? "latest" }

    /// Insert streams at once, from the built-in task's parameter; 0 lets the engine choose.
    public var parallelism: Int {
        get throws(TaskError) {
            guard let task else { return 0 }
            try BackupParameters.checkName(task.name, allowed: Self.tasks)
            var result = 0
            for (index, parameter) in (task.params ?? []).enumerated() {
                guard parameter.name == TaskParameter.parallelism.rawValue else {
                    throw TaskError(
                        problem: FieldProblem(
                            "params[\(index)].name",
                            "is '\(parameter.name)'; allowed: \(TaskParameter.parallelism.rawValue)"
                        )
                    )
                }
                guard let count = Int(parameter.value), (0...64).contains(count) else {
                    throw TaskError(
                        problem: FieldProblem(
                            "params[\(index)].value",
                            "is '\(parameter.value)'; parallelism allows \(TaskParameter.parallelism.allowed)"
                        )
                    )
                }
                result = count
            }
            return result
        }
    }
}

extension RestoreSessionSpec {
    /// What was observed.
    public typealias Status = SessionStatus
}
