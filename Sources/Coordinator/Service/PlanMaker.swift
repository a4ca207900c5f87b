import BackupModel

/// A request that can't be done: a stable code, one sentence, and the HTTP status that fits.
struct RequestError: Error, Sendable, Hashable, CustomStringConvertible {
    var status: Int
    var code: String
    var message: String
    var isRetryable = false
    var retryAfterMs: Int?
    var nextOffset: Int64?

    var description: String { message }

    static func notFound(_ message: String) -> RequestError {
        RequestError(status: 404, code: "notFound", message: message)
    }
    static func invalid(_ message: String) -> RequestError {
        RequestError(status: 422, code: "invalid", message: message)
    }
}

/// Makes plans of sessions from objects: a pure function; later edits of the objects don't change a plan.
enum PlanMaker {
    /// Absent `timeOut` means this.
    static let defaultTimeOutMs: Int64 = 24 * 3_600_000
    /// Absent `retryConfig.maxRetry` means this.
    static let defaultMaximumRetries = 2
    /// Absent `retryConfig.delay` means this.
    static let defaultRetryDelayMs: Int64 = 30_000

    /// The plan of a backup by a configuration.
    static func backup(
        _ key: ResourceKey,
        objects: ObjectSet,
        consistency: Consistency?,
        trigger: SessionTrigger,
        requestedBy: String?
    ) throws(RequestError) -> SessionPlan {
        guard let configuration = objects.configurations[key] else {
            let names = objects.configurations.keys.sorted().map(\.description)
            let known = names.isEmpty ? "there is none" : "there are: \(names.joined(separator: ", "))"
            throw .notFound("there is no BackupConfiguration \(key); \(known)")
        }
        let spec = configuration.spec
        let (binding, repository) = try parts(
            target: ResourceKey(namespace: key.namespace, name: spec.target.ref.name),
            repository: spec.repository.key(in: key.namespace),
            objects
        )
        var backup: BackupSpec
        do {
            if let recipe = try objects.recipe(for: spec.task, engine: binding.spec.engine, .backup) {
                backup = BackupSpec(command: recipe)
            } else {
                backup = try BackupParameters(spec.task).spec
            }
        } catch {
            throw .invalid("BackupConfiguration \(key): task.\(error)")
        }
        if let consistency { backup.consistency = consistency }
        return SessionPlan(
            configuration: key.name,
            target: binding.key.name,
            engine: binding.spec.engine,
            repository: repository.key,
            backend: repository.spec.backend,
            backup: backup,
            restore: nil,
            maximumAttempts: 1 + (spec.retryConfig?.maxRetry ?? defaultMaximumRetries),
            retryDelayMs: spec.retryConfig?.delay?.milliseconds ?? defaultRetryDelayMs,
            timeOutMs: spec.timeOut?.milliseconds ?? defaultTimeOutMs,
            trigger: trigger,
            requestedBy: requestedBy
        )
    }

    /// The plan of a restore.
    static func restore(
        _ spec: RestoreSessionSpec,
        namespace: String,
        objects: ObjectSet,
        requestedBy: String?
    ) throws(RequestError) -> SessionPlan {
        if let problem = spec.problems().first { throw .invalid("this restore makes no sense: \(problem)") }
        let source = spec.source ?? spec.target.ref.name
        let target = ResourceKey(namespace: namespace, name: spec.target.ref.name)
        guard
            let repositoryKey = spec.repository?.key(in: namespace)
                ?? objects.repository(forRestoreOf: source, in: namespace)
        else {
            throw .invalid(
                "which repository has the backup of \(namespace)/\(source)? Not exactly one BackupConfiguration tells; "
                    + "name it"
            )
        }
        let (binding, repository) = try parts(target: target, repository: repositoryKey, objects)
        let parallelism: Int
        let command: CommandRecipe?
        do {
            command = try objects.recipe(for: spec.task, engine: binding.spec.engine, .restore)
            parallelism = command == nil ? try spec.parallelism : 0
        } catch {
            throw .invalid("this restore makes no sense: task.\(error)")
        }
        if let command, !spec.selection.isEverything || spec.usersAndRoles == false {
            throw .invalid(
                "this restore makes no sense: Function \(command.function) takes a backup as a whole, so leave out what is "
                    + "to be included, excluded or renamed"
            )
        }
        return SessionPlan(
            configuration: nil,
            target: binding.key.name,
            engine: binding.spec.engine,
            repository: repository.key,
            backend: repository.spec.backend,
            backup: nil,
            restore: .init(
                from: spec.effectiveFrom,
                source: source,
                group: spec.group,
                groups: spec.groups,
                conflict: spec.conflict ?? .failIfNotEmpty,
                selection: spec.selection,
                usersAndRoles: spec.usersAndRoles ?? spec.selection.isEverything,
                parallelism: parallelism,
                command: command
            ),
            maximumAttempts: 1,
            retryDelayMs: 0,
            timeOutMs: spec.timeOut?.milliseconds ?? defaultTimeOutMs,
            trigger: .manual,
            requestedBy: requestedBy
        )
    }

    private static func parts(
        target: ResourceKey,
        repository: ResourceKey,
        _ objects: ObjectSet
    ) throws(RequestError) -> (AppBinding, RepositoryObject) {
        guard let binding = objects.bindings[target] else {
            let names = objects.bindings.keys.sorted().map(\.description)
            let known = names.isEmpty ? "there is none" : "there are: \(names.joined(separator: ", "))"
            throw .notFound("there is no AppBinding \(target); \(known)")
        }
        guard let place = objects.repositories[repository] else {
            let names = objects.repositories.keys.sorted().map(\.description)
            let known = names.isEmpty ? "there is none" : "there are: \(names.joined(separator: ", "))"
            throw .notFound("there is no Repository \(repository); \(known)")
        }
        let labels = objects.namespaceLabels[target.namespace]
        guard place.spec.mayBeUsed(from: target.namespace, own: repository.namespace, labels: labels) else {
            throw .invalid("Repository \(repository) may not be used from namespace \(target.namespace)")
        }
        return (binding, place)
    }
}
