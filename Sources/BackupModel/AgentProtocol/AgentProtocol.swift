/// The agent protocol, version 1: plain JSON over HTTP, level-triggered.
///
/// The coordinator computes each agent's *desired document*; an agent long-polls with the revision it has and gets
/// the document when it changed. There is no command queue: duplicates, lost replies and restarts on either side
/// need no special code. Durations are integers with their unit in the name; both sides ignore unknown fields.
public enum AgentProtocol {
    /// The version spoken here.
    public static let version = 1
    /// Header that carries it.
    public static let versionHeader = "X-Protocol"

    /// `POST`: ``RegisterRequest`` → ``RegisterResponse``.
    ///
    /// Bearer: the enrolment secret.
    public static let registerPath = "/agent/v1/register"
    /// `POST`, long poll: ``CheckinRequest`` → ``DesiredDocument``.
    ///
    /// Bearer: the session token, as everywhere below.
    public static let checkinPath = "/agent/v1/checkin"
    /// `POST`: empty; the agent leaves gracefully.
    public static let deregisterPath = "/agent/v1/deregister"

    /// `POST`: ``HeartbeatRequest`` → ``HeartbeatResponse``.
    public static func heartbeatPath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/heartbeat" }
    /// `PATCH` with `Content-Range: bytes a-b/*`: NDJSON bytes → 202 ``LogResponse``, 416 with the offset wanted.
    public static func logPath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/log" }
    /// `POST`: ``FencedRequest`` → ``JobCredentials``.
    public static func credentialsPath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/credentials" }
    /// `POST`: ``PrepareCommitRequest`` → ``PrepareCommitResponse``.
    public static func prepareCommitPath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/prepare-commit" }
    /// `POST`: ``CompleteRequest`` → 200, or 202 ``LogResponse`` while log bytes are missing.
    public static func completePath(_ jobID: String) -> String { "/agent/v1/jobs/\(jobID)/complete" }
}
