public import BackupModel

/// All objects that are in force.
public struct ObjectSet: Sendable, Hashable {
    /// Places for backups.
    public var repositories: [ResourceKey: RepositoryObject] = [:]
    /// Targets.
    public var bindings: [ResourceKey: AppBinding] = [:]
    /// What is backed up, when, and where to.
    public var configurations: [ResourceKey: BackupConfiguration] = [:]
    /// Backups asked for by an object.
    public var backupSessions: [ResourceKey: BackupSession] = [:]
    /// Restores asked for by an object.
    public var restoreSessions: [ResourceKey: RestoreSession] = [:]

    /// Several targets with one schedule; their members' configurations are among ``configurations``.
    public var batches: [ResourceKey: BackupBatch] = [:]
    /// Patterns of configurations.
    public var blueprints: [ResourceKey: BackupBlueprint] = [:]
    /// Tasks: names for what is built in, and those of functions that people describe.
    public var tasks: [ResourceKey: TaskObject] = [:]
    /// Functions: names for what is built in, and programs for databases that Remora doesn't know.
    public var functions: [ResourceKey: FunctionObject] = [:]
    /// Labels of namespaces, by which repositories may say who uses them; empty where namespaces have none.
    public var namespaceLabels: [String: [String: String]] = [:]

    /// No objects.
    public init() {}

    /// Kind and key of an object, or where it was found.
    struct Place: Sendable, Hashable {
        var kind: String
        var key: ResourceKey
    }

    /// Adds an object; false when there is one of its kind and name.
    mutating func add(_ object: ParsedObject) -> Bool {
        switch object {
        case .repository(let value): repositories.updateValue(value, forKey: value.key) == nil
        case .binding(let value): bindings.updateValue(value, forKey: value.key) == nil
        case .configuration(let value): configurations.updateValue(value, forKey: value.key) == nil
        case .backupSession(let value): backupSessions.updateValue(value, forKey: value.key) == nil
        case .restoreSession(let value): restoreSessions.updateValue(value, forKey: value.key) == nil
        case .batch(let value): batches.updateValue(value, forKey: value.key) == nil
        case .blueprint(let value): blueprints.updateValue(value, forKey: value.key) == nil
        case .task(let value): tasks.updateValue(value, forKey: value.key) == nil
        case .function(let value): functions.updateValue(value, forKey: value.key) == nil
        }
    }

    /// The configurations that back up a target, by name.
    func configurations(of target: ResourceKey) -> [BackupConfiguration] {
        configurations.values
            .filter { $0.key.namespace == target.namespace && $0.spec.target.ref.name == target.name }
            .sorted { $0.key < $1.key }
    }

    /// The configuration before this one in a batch whose members are backed up one after another; nil for all others.
    ///
    /// One that is not in force is passed over: it must not let those behind it begin at the same time as those before.
    func predecessor(of configuration: BackupConfiguration) -> BackupConfiguration? {
        let namespace = configuration.key.namespace
        guard let batch = configuration.metadata.labels?[BackupBatchSpec.label],
            batches[ResourceKey(namespace: namespace, name: batch)]?.spec.executionOrder == .sequential,
            let position = Self.position(of: configuration), position > 0
        else { return nil }
        return configurations.values.compactMap { other -> (position: Int, configuration: BackupConfiguration)? in
            guard other.key.namespace == namespace, other.metadata.labels?[BackupBatchSpec.label] == batch,
                let before = Self.position(of: other), before < position
            else { return nil }
            return (before, other)
        }.max { $0.position < $1.position }?.configuration
    }

    private static func position(of configuration: BackupConfiguration) -> Int? {
        configuration.metadata.annotations?[BackupBatchSpec.positionAnnotation].flatMap { Int($0) }
    }

    /// What is wrong between objects: references that lead nowhere or aren't allowed, and bad schedules.
    func problems() -> [(place: Place, problem: FieldProblem)] {
        var found: [(place: Place, problem: FieldProblem)] = []
        for (key, object) in configurations.sorted(by: { $0.key < $1.key }) {
            let place = Place(kind: BackupConfigurationSpec.kind, key: key)
            found += target(object.spec.target, in: key.namespace, "spec.target").map { (place, $0) }
            found += repository(object.spec.repository, in: key.namespace, "spec.repository").map { (place, $0) }
            let task = taskProblem(object.spec.task, target: object.spec.target, in: key.namespace, .backup)
            if let task { found.append((place, task)) }
            found += Self.schedule(object.spec).map { (place, $0) }
        }
        for (key, object) in backupSessions.sorted(by: { $0.key < $1.key }) {
            let place = Place(kind: BackupSessionSpec.kind, key: key)
            let configuration = ResourceKey(namespace: key.namespace, name: object.spec.invoker.name)
            if configurations[configuration] == nil {
                let names = configurations.keys.filter { $0.namespace == key.namespace }.map(\.name)
                found.append(
                    (place, Self.dangling("spec.invoker.name", "BackupConfiguration", configuration, among: names))
                )
            }
        }
        for (key, object) in restoreSessions.sorted(by: { $0.key < $1.key }) {
            let place = Place(kind: RestoreSessionSpec.kind, key: key)
            found += target(object.spec.target, in: key.namespace, "spec.target").map { (place, $0) }
            let task = taskProblem(object.spec.task, target: object.spec.target, in: key.namespace, .restore)
            if let task { found.append((place, task)) }
            if let reference = object.spec.repository {
                found += repository(reference, in: key.namespace, "spec.repository").map { (place, $0) }
            } else if repository(forRestoreOf: object.spec.source ?? object.spec.target.ref.name, in: key.namespace)
                == nil
            {
                found.append(
                    (
                        place,
                        FieldProblem(
                            "spec.repository",
                            "is needed: not exactly one repository has backups of the target"
                        )
                    )
                )
            }
        }
        return found
    }

    /// The repository that all configurations of a target share, if there is exactly one.
    func repository(forRestoreOf target: String, in namespace: String) -> ResourceKey? {
        let keys = Set(
            configurations(of: ResourceKey(namespace: namespace, name: target))
                .map { $0.spec.repository.key(in: namespace) }
        )
        return keys.count == 1 ? keys.first : nil
    }

    private static func schedule(_ spec: BackupConfigurationSpec) -> [FieldProblem] {
        var found: [FieldProblem] = []
        do {
            _ = try CronSchedule.zone(spec.timeZone)
        } catch {
            found.append(FieldProblem("spec.timeZone", error.description))
        }
        guard let schedule = spec.schedule else { return found }
        do {
            _ = try CronSchedule(schedule)
        } catch {
            found.append(FieldProblem("spec.schedule", error.description))
        }
        return found
    }

    private func target(_ reference: TargetReference, in namespace: String, _ path: String) -> [FieldProblem] {
        if let other = reference.ref.namespace, other != namespace {
            return [FieldProblem("\(path).ref.namespace", "is '\(other)'; a target must be in the same namespace")]
        }
        let key = ResourceKey(namespace: namespace, name: reference.ref.name)
        if bindings[key] != nil { return [] }
        let names = bindings.keys.filter { $0.namespace == namespace }.map(\.name)
        return [Self.dangling("\(path).ref.name", "AppBinding", key, among: names)]
    }

    private func repository(_ reference: ResourceReference, in namespace: String, _ path: String) -> [FieldProblem] {
        let key = reference.key(in: namespace)
        guard let found = repositories[key] else {
            let names = repositories.keys.map { $0.namespace == namespace ? $0.name : $0.description }
            return [Self.dangling("\(path).name", "Repository", key, among: names)]
        }
        let labels = namespaceLabels[namespace]
        if found.spec.mayBeUsed(from: namespace, own: key.namespace, labels: labels) { return [] }
        let isSelective = found.spec.usagePolicy?.allowedNamespaces?.from == .selector
        let reason =
            isSelective
            ? "may not be used from namespace \(namespace): spec.usagePolicy.allowedNamespaces.selector doesn't select it"
            : "may be used from its own namespace only (spec.usagePolicy.allowedNamespaces.from: All allows it)"
        return [
            FieldProblem("\(path).namespace", "is '\(key.namespace)', whose Repository \(key.name) \(reason)")
        ]
    }

    private static func dangling(
        _ path: String,
        _ kind: String,
        _ key: ResourceKey,
        among names: [String]
    ) -> FieldProblem {
        let known = names.isEmpty ? "there is none" : "there are: \(names.sorted().joined(separator: ", "))"
        return FieldProblem(path, "names \(kind) \(key), which does not exist; \(known)")
    }
}

/// One object of a file.
enum ParsedObject: Sendable, Hashable {
    case repository(RepositoryObject)
    case binding(AppBinding)
    case configuration(BackupConfiguration)
    case backupSession(BackupSession)
    case restoreSession(RestoreSession)
    case batch(BackupBatch)
    case blueprint(BackupBlueprint)
    case task(TaskObject)
    case function(FunctionObject)

    var place: ObjectSet.Place {
        switch self {
        case .repository(let value): .init(kind: RepositorySpec.kind, key: value.key)
        case .binding(let value): .init(kind: AppBindingSpec.kind, key: value.key)
        case .configuration(let value): .init(kind: BackupConfigurationSpec.kind, key: value.key)
        case .backupSession(let value): .init(kind: BackupSessionSpec.kind, key: value.key)
        case .restoreSession(let value): .init(kind: RestoreSessionSpec.kind, key: value.key)
        case .batch(let value): .init(kind: BackupBatchSpec.kind, key: value.key)
        case .blueprint(let value): .init(kind: BackupBlueprintSpec.kind, key: value.key)
        case .task(let value): .init(kind: TaskSpec.kind, key: value.key)
        case .function(let value): .init(kind: FunctionSpec.kind, key: value.key)
        }
    }

    func problems() -> [FieldProblem] {
        switch self {
        case .repository(let value): value.problems()
        case .binding(let value): value.problems()
        case .configuration(let value): value.problems()
        case .backupSession(let value): value.problems()
        case .restoreSession(let value): value.problems()
        case .batch(let value): value.problems()
        case .blueprint(let value): value.problems()
        case .task(let value): value.problems()
        case .function(let value): value.problems()
        }
    }
}
