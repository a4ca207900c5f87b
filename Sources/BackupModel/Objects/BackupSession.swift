/// One run of a backup over a whole target (kind `BackupSession`).
public typealias BackupSession = Resource<BackupSessionSpec>

/// What a `BackupSession` wants; only `cancel` ever changes, and only to true.
public struct BackupSessionSpec: ResourceSpec {
    /// Who wants it.
    public struct Invoker: Codable, Sendable, Hashable {
        /// Absent: `remora.dev`.
        public var apiGroup: String?
        /// Absent: `BackupConfiguration`, the only one.
        public var kind: String?
        /// Name, in the session's namespace.
        public var name: String

        /// Makes one.
        public init(name: String) { self.name = name }
    }

    /// The configuration.
    public var invoker: Invoker
    /// Overrides the task's parameter.
    public var consistency: Consistency?
    /// Why it exists.
    ///
    /// Absent: `Manual`.
    public var trigger: SessionTrigger?
    /// Who asked, for people.
    public var requestedBy: String?
    /// True: stop it.
    public var cancel: Bool?

    /// Makes a spec.
    public init(
        configuration: String,
        consistency: Consistency? = nil,
        trigger: SessionTrigger? = nil,
        requestedBy: String? = nil
    ) {
        self.invoker = Invoker(name: configuration)
        self.consistency = consistency
        self.trigger = trigger
        self.requestedBy = requestedBy
    }

    /// `BackupSession`.
    public static let kind = "BackupSession"
    /// Made from a configuration's name and a minute.
    public static var maximumNameBytes: Int { ResourceName.maximumSessionBytes }

    /// What is wrong with it by itself.
    public func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        if let kind = invoker.kind, kind != BackupConfigurationSpec.kind {
            found.append(FieldProblem("invoker.kind", "is '\(kind)'; allowed: \(BackupConfigurationSpec.kind)"))
        }
        if let reason = ResourceName.reasonAgainst(invoker.name) {
            found.append(FieldProblem("invoker.name", reason))
        }
        return found
    }
}

/// Why a session exists.
public enum SessionTrigger: String, Codable, Sendable, CaseIterable {
    case schedule = "Schedule"
    case manual = "Manual"
}

extension BackupSessionSpec {
    /// What was observed.
    public typealias Status = SessionStatus
}
