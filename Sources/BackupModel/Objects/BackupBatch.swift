/// Several targets with one schedule (kind `BackupBatch`).
public typealias BackupBatch = Resource<BackupBatchSpec>

/// What a `BackupBatch` wants (Stash's field names): a `BackupConfiguration` for each member, and what they share.
///
/// Each member's backup is one by itself, with a cut of its own: only the members of one target share a cut.
public struct BackupBatchSpec: ResourceSpec {
    /// One target.
    public struct Member: Codable, Sendable, Hashable {
        /// How.
        public var task: TaskReference?
        /// What.
        public var target: TargetReference
        /// Name of the member in its configuration's name; absent: the target's name.
        public var alias: String?
        /// Accepted and unused: everything streams.
        public var interimVolumeTemplate: OpaqueValue?
        /// Accepted and unused: nothing is staged.
        public var tempDir: OpaqueValue?
        /// Accepted and unused: agents run beside their database.
        public var runtimeSettings: OpaqueValue?

        /// Makes a member.
        public init(target: TargetReference, task: TaskReference? = nil, alias: String? = nil) {
            self.target = target
            self.task = task
            self.alias = alias
        }

        /// The part of its configuration's name that is its own.
        public var effectiveAlias: String { alias ?? target.ref.name }
    }

    /// When members are backed up.
    public enum ExecutionOrder: String, Codable, Sendable, CaseIterable {
        /// All at once.
        case parallel = "Parallel"
        /// One after another, in the order in which they stand; one that fails doesn't stop those behind it.
        case sequential = "Sequential"
    }

    /// The targets, at most ``maximumMembers``.
    public var members: [Member]
    /// Absent: `Parallel`.
    public var executionOrder: ExecutionOrder?
    /// As in a `BackupConfiguration`, like all that follows.
    public var schedule: String?
    /// See `schedule`.
    public var timeZone: String?
    /// See `schedule`.
    public var startingDeadlineSeconds: Int?
    /// See `schedule`.
    public var jitterSeconds: Int?
    /// Where to: one repository for all members, each has its own place in it.
    public var repository: ResourceReference
    /// See `schedule`.
    public var paused: Bool?
    /// The longest that the session of one member may take.
    public var timeOut: GoDuration?
    /// See `schedule`.
    public var retryConfig: RetryConfig?
    /// See `schedule`.
    public var backupHistoryLimit: Int?
    /// See `schedule`.
    public var retentionPolicy: RetentionPolicy?
    /// `Restic`, the only one.
    public var driver: String?
    /// Accepted and unused: agents run beside their database.
    public var runtimeSettings: OpaqueValue?

    /// Makes a spec.
    public init(members: [Member], repository: ResourceReference, schedule: String? = nil) {
        self.members = members
        self.repository = repository
        self.schedule = schedule
    }

    /// `BackupBatch`.
    public static let kind = "BackupBatch"
    /// The most members.
    public static let maximumMembers = 64
    /// Label of a member's configuration: the batch's name.
    public static let label = "remora.dev/batch"
    /// Annotation of a member's configuration: its place in the batch, from 0.
    public static let positionAnnotation = "remora.dev/batch-position"

    /// What is wrong with it by itself; schedule and time zone are judged by the scheduler.
    public func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        if members.isEmpty { found.append(FieldProblem("members", "is empty; at least one is needed")) }
        if members.count > Self.maximumMembers {
            found.append(FieldProblem("members", "has \(members.count) entries; allowed: \(Self.maximumMembers)"))
        }
        var first: [String: Int] = [:]
        for (index, member) in members.enumerated() {
            let path = "members[\(index)]"
            let own = configuration(of: member).problems().filter { problem in
                ["target", "task"].contains { problem.path.hasPrefix($0) }
            }
            found += own.map { FieldProblem("\(path).\($0.path)", $0.message) }
            if let alias = member.alias, let reason = ResourceName.reasonAgainst(alias) {
                found.append(FieldProblem("\(path).alias", reason))
            }
            if let other = first[member.effectiveAlias] {
                found.append(
                    FieldProblem(
                        "\(path).alias",
                        "is '\(member.effectiveAlias)', and so is that of members[\(other)]; give one of them another"
                    )
                )
            } else {
                first[member.effectiveAlias] = index
            }
        }
        // What the members share is judged once, on a target that has nothing wrong with it.
        let shared = configuration(of: Member(target: TargetReference(name: "target"))).problems()
        return found + shared
    }

    /// The configuration of a member.
    func configuration(of member: Member) -> BackupConfigurationSpec {
        var spec = BackupConfigurationSpec(
            schedule: schedule,
            timeZone: timeZone,
            task: member.task,
            repository: repository,
            target: member.target
        )
        spec.startingDeadlineSeconds = startingDeadlineSeconds
        spec.jitterSeconds = jitterSeconds
        spec.paused = paused
        spec.timeOut = timeOut
        spec.retryConfig = retryConfig
        spec.backupHistoryLimit = backupHistoryLimit
        spec.retentionPolicy = retentionPolicy
        spec.driver = driver
        spec.interimVolumeTemplate = member.interimVolumeTemplate
        spec.tempDir = member.tempDir
        spec.runtimeSettings = member.runtimeSettings ?? runtimeSettings
        return spec
    }
}

extension BackupBatch {
    /// The members' configurations, in the order of the members: named after batch and member, labelled with the batch.
    ///
    /// With `Sequential` the order is on the configurations (``BackupBatchSpec/positionAnnotation``); whoever starts
    /// their sessions keeps it.
    ///
    /// - Returns: the configurations, and what is wrong with their names: a member's name may be too long for one.
    public func expand() -> (configurations: [BackupConfiguration], problems: [FieldProblem]) {
        var configurations: [BackupConfiguration] = []
        var problems: [FieldProblem] = []
        for (index, member) in spec.members.enumerated() {
            let name = "\(metadata.name)-\(member.effectiveAlias)"
            if let reason = ResourceName.reasonAgainst(name, maximumBytes: ResourceName.maximumBytes) {
                problems.append(
                    FieldProblem(
                        "spec.members[\(index)].alias",
                        "makes the name '\(name)' of its BackupConfiguration, which \(reason); give a shorter alias"
                    )
                )
                continue
            }
            var labels = metadata.labels ?? [:]
            labels[BackupBatchSpec.label] = metadata.name
            configurations.append(
                BackupConfiguration(
                    metadata: ResourceMetadata(
                        name: name,
                        namespace: metadata.namespace,
                        labels: labels,
                        annotations: [BackupBatchSpec.positionAnnotation: "\(index)"]
                    ),
                    spec: spec.configuration(of: member)
                )
            )
        }
        return (configurations, problems)
    }
}

/// What was observed of a `BackupBatch`.
public struct BackupBatchStatus: Codable, Sendable, Hashable {
    /// One member.
    public struct Member: Codable, Sendable, Hashable {
        /// Its configuration: one entry a configuration.
        public var configuration: String
        /// Its target.
        public var target: String
        /// Its newest session.
        public var lastSession: SessionOutcome?
        /// Its newest session that succeeded.
        public var lastSuccess: SessionOutcome?

        /// Makes one.
        public init(configuration: String, target: String) {
            self.configuration = configuration
            self.target = target
        }
    }

    /// The generation of the spec that this is about.
    public var observedGeneration: Int64?
    /// Summary of the conditions.
    public var phase: ConfigurationPhase?
    /// `Ready` and what stands behind it.
    public var conditions: [Condition]
    /// When the schedule last fired.
    public var lastScheduleTime: Timestamp?
    /// When it fires next.
    public var nextScheduleTime: Timestamp?
    /// The members, in their order.
    public var members: [Member]?

    /// Makes a status.
    public init(conditions: [Condition] = []) { self.conditions = conditions }
}

extension BackupBatchSpec {
    /// What was observed.
    public typealias Status = BackupBatchStatus
}
