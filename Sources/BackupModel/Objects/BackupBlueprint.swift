/// A pattern from which every workload that names it gets its configuration (kind `BackupBlueprint`), of the whole cluster.
public typealias BackupBlueprint = Resource<BackupBlueprintSpec>

/// What a `BackupBlueprint` says (Stash's field names): a Repository, or a pattern of one, and a configuration without target.
///
/// A workload asks for it by an annotation of its pods, or of its AppBinding: ``annotation``. What is made of it follows
/// later edits of either.
public struct BackupBlueprintSpec: ResourceSpec {
    /// A place for each target: `${TARGET_NAMESPACE}` and `${TARGET_NAME}` in it become the target's.
    public var backend: StorageBackend?
    /// Who else may use the repositories that are made.
    public var usagePolicy: UsagePolicy?
    /// Namespace of the repositories that are made; absent: the target's.
    public var repoNamespace: String?
    /// Or one repository that exists, for all targets: each has its own place in it.
    public var repository: ResourceReference?
    /// As in a `BackupConfiguration`, like all that follows.
    public var schedule: String?
    /// See `schedule`.
    public var timeZone: String?
    /// See `schedule`.
    public var startingDeadlineSeconds: Int?
    /// See `schedule`.
    public var jitterSeconds: Int?
    /// See `schedule`.
    public var task: TaskReference?
    /// See `schedule`.
    public var timeOut: GoDuration?
    /// See `schedule`.
    public var retryConfig: RetryConfig?
    /// See `schedule`.
    public var backupHistoryLimit: Int?
    /// See `schedule`.
    public var retentionPolicy: RetentionPolicy?
    /// See `schedule`.
    public var interimVolumeTemplate: OpaqueValue?
    /// See `schedule`.
    public var tempDir: OpaqueValue?
    /// See `schedule`.
    public var runtimeSettings: OpaqueValue?

    /// Makes a spec.
    public init(backend: StorageBackend? = nil, repository: ResourceReference? = nil, schedule: String? = nil) {
        self.backend = backend
        self.repository = repository
        self.schedule = schedule
    }

    /// `BackupBlueprint`.
    public static let kind = "BackupBlueprint"
    /// False.
    public static var isNamespaced: Bool { false }
    /// Annotation by which a workload's pods or an AppBinding ask for a blueprint: its name.
    public static let annotation = "remora.dev/blueprint"
    /// Annotation beside it: another schedule for this one.
    public static let scheduleAnnotation = "remora.dev/schedule"
    /// Beginning of annotations beside it: another task parameter for this one, like `params.remora.dev/parallelism`.
    public static let parameterAnnotations = "params.remora.dev/"
    /// Label of what was made: the blueprint's name.
    public static let label = "remora.dev/blueprint"

    /// What is wrong with it by itself; schedule and time zone are judged by the scheduler.
    public func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        if (backend == nil) == (repository == nil) {
            found.append(FieldProblem("backend", "and repository: exactly one of them must be given"))
        }
        if repository == nil {
            found += (usagePolicy?.problems() ?? []).map { FieldProblem("usagePolicy." + $0.path, $0.message) }
        } else {
            for (name, isGiven) in [("usagePolicy", usagePolicy != nil), ("repoNamespace", repoNamespace != nil)]
            where isGiven {
                found.append(FieldProblem(name, "is for repositories that are made; with repository none is"))
            }
            if repository?.namespace == nil {
                found.append(
                    FieldProblem("repository.namespace", "is missing; a blueprint belongs to the whole cluster")
                )
            }
        }
        if let repoNamespace, let reason = ResourceName.reasonAgainst(repoNamespace, maximumBytes: 63) {
            found.append(FieldProblem("repoNamespace", reason))
        }
        // The rest is judged as what it becomes, for a target that has nothing wrong with it.
        var sample = BlueprintTarget(namespace: "namespace", name: "target")
        sample.hasBinding = true
        if let unknown = backend.flatMap({ Self.unknownVariable($0) }) {
            found.append(
                FieldProblem(
                    "backend",
                    "has \(unknown); allowed: \(Variable.allCases.map(\.text).joined(separator: ", "))"
                )
            )
        } else if let backend = backend.map({ Self.filled($0, for: sample) }) {
            found += backend.problems().map { FieldProblem("backend." + $0.path, $0.message) }
        }
        return found
            + configuration(for: sample, repository: repository ?? ResourceReference(name: "target")).problems()
    }
}

extension BackupBlueprintSpec {
    /// What was observed.
    public typealias Status = BackupBlueprintStatus
}

/// What was observed of a `BackupBlueprint`.
public struct BackupBlueprintStatus: Codable, Sendable, Hashable {
    /// The generation of the spec that this is about.
    public var observedGeneration: Int64?
    /// `Ready` and what stands behind it.
    public var conditions: [Condition]
    /// How many targets have a configuration of it.
    public var targetCount: Int?
    /// Those configurations; at most ``RepositoryStatus/maximumUsers``.
    public var usedBy: [RepositoryStatus.User]?

    /// Makes a status.
    public init(conditions: [Condition] = []) { self.conditions = conditions }
}
