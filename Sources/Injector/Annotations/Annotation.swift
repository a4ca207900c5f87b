/// Every annotation by which a pod's owner tells the injector what to do, once: name, values, default, help.
///
/// Reading them, the messages about wrong ones and `docs/reference/annotations.md` go by this table.
public enum Annotation: String, Sendable, CaseIterable {
    case inject
    case engine
    case cluster
    case container
    case endpoint
    case dataMount = "data-mount"
    case dataVolume = "data-volume"
    case credentialsSecret = "credentials-secret"
    case credentialsKeys = "credentials-keys"
    case tlsSecret = "tls-secret"
    case tlsMode = "tls-mode"
    case tlsCertificateKey = "tls-certificate-key"
    case runAs = "run-as"
    case cpuRequest = "cpu-request"
    case cpuLimit = "cpu-limit"
    case memoryRequest = "memory-request"
    case memoryLimit = "memory-limit"
    case sidecar
    case logLevel = "log-level"

    /// What all our names begin with.
    public static let prefix = "remora.dev/"

    /// The annotation's whole name.
    public var name: String { Self.prefix + rawValue }

    /// What it may say, for people.
    public var values: String {
        switch self {
        case .inject: "`true` or `false`"
        case .engine: "`mongodb`, or the AppBinding's type of a database that a Function describes"
        case .cluster: "a name of lower-case letters, digits and `-`, at most 52"
        case .container: "name of a container of the pod"
        case .endpoint: "`localhost:PORT`, `127.0.0.1:PORT` or `[::1]:PORT`"
        case .dataMount: "`none`, `ro` or `rw`"
        case .dataVolume: "name of a volume of the pod"
        case .credentialsSecret, .tlsSecret: "name of a Secret in the pod's namespace"
        case .credentialsKeys: "`username=ENTRY,password=ENTRY`, or for MongoDB `uri=ENTRY`"
        case .tlsMode: "`disable`, `require`, `verify-ca` or `verify-full`"
        case .tlsCertificateKey: "name of an entry of the TLS Secret"
        case .runAs: "`UID` or `UID:GID`, from 1 to 2147483647; `0` where the installation allows root"
        case .cpuRequest, .cpuLimit: "a quantity, like `250m` or `1`"
        case .memoryRequest, .memoryLimit: "a quantity, like `256Mi`"
        case .sidecar: "`auto`, `native` or `container`"
        case .logLevel: "`error`, `warning`, `info` or `debug`"
        }
    }

    /// What holds without it, for people.
    public var fallback: String {
        switch self {
        case .inject: "no agent"
        case .engine:
            "`mongodb` or `mysql`, when the container's image or command is MongoDB's, or MySQL's or MariaDB's"
        case .cluster: "the name of the StatefulSet or Deployment; of a pod by itself, its name without the number"
        case .container:
            "`kubectl.kubernetes.io/default-container`; else the only container; else the one with the engine's image or command"
        case .endpoint:
            "`localhost` (`127.0.0.1` if it isn't MongoDB) and the port of the container (`--port`, `containerPort`, 27017 or 3306); needed for other engines whose container has not exactly one `containerPort`"
        case .dataMount: "`none`"
        case .dataVolume: "the volume that holds `--dbpath` or the image's usual place"
        case .credentialsSecret: "no user and password"
        case .credentialsKeys: "`username=username,password=password`"
        case .tlsSecret: "none"
        case .tlsMode: "`verify-full` with a TLS Secret, else `disable`"
        case .tlsCertificateKey: "no client certificate"
        case .runAs: "65532 without a data mount; else the database's"
        case .cpuRequest: "`50m`"
        case .cpuLimit: "none"
        case .memoryRequest: "`96Mi`"
        case .memoryLimit: "`512Mi`"
        case .sidecar: "`auto`"
        case .logLevel: "`info`"
        }
    }

    /// What it is for, for people.
    public var help: String {
        switch self {
        case .inject: "Asks for an agent beside the pod's database."
        case .engine: "Which kind of database it is."
        case .cluster: "The target (AppBinding) that the pod belongs to; part of the place of its backups."
        case .container: "Which container runs the database."
        case .endpoint:
            "Where the agent reaches the database. Other hosts are refused: an agent talks to its own pod only."
        case .dataMount: "Whether the agent sees the database's files. Logical backups don't need them."
        case .dataVolume: "Which volume holds them. Its mount in the database's container is copied, path for path."
        case .credentialsSecret: "The database user. Mounted as files, so that a changed password needs no restart."
        case .credentialsKeys:
            "Which entries of that Secret hold name and password, or a connection string with both; its hosts are not used."
        case .tlsSecret: "`ca.crt` of the authority that signed the database's certificate."
        case .tlsMode:
            "How far MongoDB's certificate is checked: not at all (`require`), its authority (`verify-ca`), its name too (`verify-full`). Other databases' programs are told by their Function's options; the Secret is at `/run/remora/tls`."
        case .tlsCertificateKey:
            "Our certificate and its key, one after the other in one PEM entry, for a database that asks for one (cert-manager: `tls-combined.pem`)."
        case .runAs: "User and group of the agent's process."
        case .cpuRequest: "Processor time kept for the agent."
        case .cpuLimit: "Most processor time the agent gets."
        case .memoryRequest: "Memory kept for the agent."
        case .memoryLimit: "Most memory the agent gets, at least 64Mi; it plans with 60 % of it."
        case .sidecar:
            "`native`: an init container that goes on running (Kubernetes 1.29 or newer). `container`: one more container."
        case .logLevel: "From which level on the agent writes log lines."
        }
    }

    /// The table as it stands in `docs/reference/annotations.md`.
    public static var markdown: String {
        let rows = allCases.map { "| `\($0.name)` | \($0.values) | \($0.fallback) | \($0.help) |" }
        return (["| annotation | values | default | |", "| --- | --- | --- | --- |"] + rows).joined(separator: "\n")
    }
}

/// What the injector writes on a pod.
public enum AgentMark {
    /// Annotation with a JSON text: version, image, mode and hash of what was injected.
    public static let status = "remora.dev/status"
    /// Annotation that says in a sentence why no agent was injected.
    public static let injectError = "remora.dev/inject-error"
    /// Label of pods with an agent: `true`.
    public static let injected = "remora.dev/injected"
    /// Label with the target's name.
    public static let cluster = "remora.dev/cluster"
    /// Name of the agent's container.
    public static let container = "remora-agent"
    /// What the names of our volumes begin with.
    public static let volumePrefix = "remora-agent-"
    /// Annotation of Kubernetes: the container that tools mean unless told otherwise.
    static let defaultContainer = "kubectl.kubernetes.io/default-container"
}
