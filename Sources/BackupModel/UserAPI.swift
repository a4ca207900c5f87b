/// The API for people and their tools: paths and requests; answers are in `UserAPIViews.swift`.
///
/// Bearer: the content of the coordinator's admin token file. From loopback without a token: reading only.
/// Every answer that isn't a success is an ``ErrorResponse``.
public enum UserAPI {
    /// `GET`: ``StatusView``.
    public static let statusPath = "/api/v1/status"
    /// `GET ?namespace=&kind=&limit=`: [``SessionView``], newest first.
    public static let sessionsPath = "/api/v1/sessions"
    /// `POST` ``BackupRequest``: 201 ``SessionView``.
    public static let backupsPath = "/api/v1/backups"
    /// `POST` ``BackupRequest``: ``BackupPlanView``; nothing is begun.
    public static let backupPlanPath = "/api/v1/backups/plan"
    /// `POST` ``RestoreRequest``: 201 ``SessionView``.
    public static let restoresPath = "/api/v1/restores"
    /// `GET ?namespace=&target=`: [``BackupView``], newest first.
    public static let snapshotsPath = "/api/v1/snapshots"
    /// `GET`: [``LockView``].
    public static let locksPath = "/api/v1/locks"
    /// `GET`: ``SessionView``.
    public static func sessionPath(_ session: ResourceKey) -> String {
        "\(sessionsPath)/\(session.namespace)/\(session.name)"
    }
    /// `POST`: 202 ``SessionView``.
    public static func cancelPath(_ session: ResourceKey) -> String { sessionPath(session) + "/cancel" }
    /// `GET ?pod=&follow=true&level=`: NDJSON of ``PodLogLine``.
    public static func logsPath(_ session: ResourceKey) -> String { sessionPath(session) + "/logs" }
}

/// Back up now.
public struct BackupRequest: Codable, Sendable, Hashable {
    /// Namespace of the configuration.
    public var namespace: String
    /// The BackupConfiguration.
    public var configuration: String
    /// Overrides the task's parameter.
    public var consistency: Consistency?
    /// Who asks, for people.
    public var requestedBy: String?

    /// Makes a request.
    public init(
        namespace: String,
        configuration: String,
        consistency: Consistency? = nil,
        requestedBy: String? = nil
    ) {
        self.namespace = namespace
        self.configuration = configuration
        self.consistency = consistency
        self.requestedBy = requestedBy
    }
}

/// Restore now.
public struct RestoreRequest: Codable, Sendable, Hashable {
    /// Namespace of the target.
    public var namespace: String
    /// The AppBinding to restore into.
    public var target: String
    /// What to take: a session's name, a snapshot's id, or `latest`.
    public var from: String
    /// The AppBinding whose backup is taken; absent: the target.
    public var source: String?
    /// The Repository; absent: that of the target's only BackupConfiguration.
    public var repository: ResourceReference?
    /// What to do with a target that isn't empty; absent: `FailIfNotEmpty`.
    public var conflict: RestoreSpec.Conflict?
    /// Only these namespaces.
    public var include: [String]?
    /// Not these.
    public var exclude: [String]?
    /// Under other names.
    public var renames: [NamespaceSelection.Rename]?
    /// Users and roles too; absent: true when everything is restored, else false.
    public var usersAndRoles: Bool?
    /// The only group of a sharded backup that is taken, into a target of one group; absent: all of them.
    public var group: String?
    /// Groups of the backup → of the target, where they aren't called the same.
    public var groups: [String: String]?
    /// How; absent: what is built in for the target's engine.
    public var task: TaskReference?
    /// Who asks, for people.
    public var requestedBy: String?

    /// Makes a request.
    public init(namespace: String, target: String, from: String = "latest") {
        self.namespace = namespace
        self.target = target
        self.from = from
    }
}
