/// Every setting of the agent, once: its flag, its variable, what it is for.
///
/// Help, look-up and checks are made from this table.
public enum AgentSetting: String, Sendable, CaseIterable {
    case coordinator
    case caFile = "ca-file"
    case enrolmentTokenFile = "enrolment-token-file"
    case stateDir = "state-dir"
    case namespace
    case pod
    case podUID = "pod-uid"
    case node
    case cluster
    case engine
    case mongodbURI = "mongodb-uri"
    case endpoint
    case programsDir = "programs-dir"
    case usernameFile = "username-file"
    case passwordFile = "password-file"
    case credentialsURIFile = "credentials-uri-file"
    case username
    case password
    case authSource = "auth-source"
    case authMechanism = "auth-mechanism"
    case tlsCAFile = "tls-ca-file"
    case tlsCertificateKeyFile = "tls-certificate-key-file"
    case tlsAllowInvalidHostnames = "tls-allow-invalid-hostnames"
    case logLevel = "log-level"

    /// The flag without its dashes.
    public var flag: String { rawValue }

    /// The environment variable: `REMORA_` and the flag in capitals.
    public var environmentVariable: String {
        "REMORA_" + rawValue.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// Secrets and what identifies them come from files or the environment: arguments can be seen by every process
    /// of the host.
    public var hasFlag: Bool { self != .username && self != .password }

    /// The value without flag and variable; nil when there is none.
    public var defaultValue: String? {
        switch self {
        case .coordinator: "http://127.0.0.1:7480"
        case .stateDir: "/var/lib/remora"
        case .engine: "mongodb"
        case .mongodbURI: "mongodb://127.0.0.1:27017"
        case .programsDir: "/usr/lib/remora/programs"
        case .logLevel: "info"
        default: nil
        }
    }

    /// Whether the agent can't begin without it.
    public var isRequired: Bool {
        switch self {
        case .enrolmentTokenFile, .namespace, .pod, .cluster: true
        default: false
        }
    }

    /// Whether it means something for MongoDB only.
    var isForMongoDB: Bool {
        switch self {
        case .mongodbURI, .credentialsURIFile, .authSource, .authMechanism, .tlsCAFile, .tlsCertificateKeyFile,
            .tlsAllowInvalidHostnames:
            true
        default: false
        }
    }

    /// What it is, in one line.
    public var help: String {
        switch self {
        case .coordinator: "URL of the coordinator; plain http on loopback only."
        case .caFile: "PEM file with the authority of the coordinator's certificate."
        case .enrolmentTokenFile: "File with the secret that lets agents register."
        case .stateDir: "Directory that outlives the process: journal, lock notes, logs."
        case .namespace: "Namespace of the pod."
        case .pod: "Name of the pod."
        case .podUID: "UID of the pod; without it a random one is kept in the state directory."
        case .node: "Name of the node."
        case .cluster: "The target (AppBinding) that the member belongs to."
        case .engine: "Kind of database: mongodb, or the AppBinding's type of one that Function objects describe."
        case .mongodbURI: "Connection string of the member beside the agent."
        case .endpoint: "HOST:PORT of the database beside the agent, if it is not mongodb."
        case .programsDir: "Directory with the only programs that Function objects may have run."
        case .usernameFile: "File with the database user's name."
        case .passwordFile: "File with the database user's password."
        case .credentialsURIFile: "File with a connection string whose user and password are used, and not its hosts."
        case .username: "The database user's name."
        case .password: "The database user's password."
        case .authSource: "Database that knows the user (admin)."
        case .authMechanism: "SCRAM-SHA-1, SCRAM-SHA-256 or MONGODB-X509."
        case .tlsCAFile: "PEM file with the authority of the database's certificate; turns TLS on."
        case .tlsCertificateKeyFile: "PEM file with our certificate and key for the database; turns TLS on."
        case .tlsAllowInvalidHostnames: "true: the database's certificate may name another host than the one dialled."
        case .logLevel: "debug, info, warning or error."
        }
    }

    /// The help line with variable and default.
    public var fullHelp: String {
        let fallback = defaultValue.map { " (default: \($0))" } ?? (isRequired ? " (required)" : "")
        return "\(help) \(environmentVariable)\(fallback)"
    }
}
