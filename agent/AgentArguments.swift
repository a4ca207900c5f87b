import Agent
import ArgumentParser
import BackupModel

/// The command line.
///
/// Names, variables, defaults and help come from `AgentSetting`.
struct AgentArguments: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remora-agent",
        abstract: "Backs up and restores the database member beside it, for a Remora coordinator.",
        discussion: """
            Every option can also be given as environment variable, named at the end of its line. The database user's \
            name and password come from files, or from REMORA_USERNAME and REMORA_PASSWORD; never as arguments.

            `remora-agent health` asks a running agent how it is. `remora-agent run` is the same as no command.

            With --supervise, or as process 1 of a container, it keeps a worker running that does all this, starts it \
            again whatever ended it, and ends only by SIGTERM or SIGINT.

            Exit codes: 0 ended as asked, or --check found all well; 1 failed, or --check found a problem; \
            2 the configuration makes no sense.
            """,
        version: RemoraVersion.current
    )

    @Option(name: .customLong(AgentSetting.coordinator.flag), help: help(.coordinator)) var coordinator: String?
    @Option(name: .customLong(AgentSetting.caFile.flag), help: help(.caFile)) var caFile: String?
    @Option(name: .customLong(AgentSetting.enrolmentTokenFile.flag), help: help(.enrolmentTokenFile))
    var enrolmentTokenFile: String?
    @Option(name: .customLong(AgentSetting.stateDir.flag), help: help(.stateDir)) var stateDir: String?
    @Option(name: .customLong(AgentSetting.namespace.flag), help: help(.namespace)) var namespace: String?
    @Option(name: .customLong(AgentSetting.pod.flag), help: help(.pod)) var pod: String?
    @Option(name: .customLong(AgentSetting.podUID.flag), help: help(.podUID)) var podUID: String?
    @Option(name: .customLong(AgentSetting.node.flag), help: help(.node)) var node: String?
    @Option(name: .customLong(AgentSetting.cluster.flag), help: help(.cluster)) var cluster: String?
    @Option(name: .customLong(AgentSetting.engine.flag), help: help(.engine)) var engine: String?
    @Option(name: .customLong(AgentSetting.mongodbURI.flag), help: help(.mongodbURI)) var mongodbURI: String?
    @Option(name: .customLong(AgentSetting.endpoint.flag), help: help(.endpoint)) var endpoint: String?
    @Option(name: .customLong(AgentSetting.programsDir.flag), help: help(.programsDir)) var programsDir: String?
    @Option(name: .customLong(AgentSetting.usernameFile.flag), help: help(.usernameFile)) var usernameFile: String?
    @Option(name: .customLong(AgentSetting.passwordFile.flag), help: help(.passwordFile)) var passwordFile: String?
    @Option(name: .customLong(AgentSetting.credentialsURIFile.flag), help: help(.credentialsURIFile))
    var credentialsURIFile: String?
    @Option(name: .customLong(AgentSetting.authSource.flag), help: help(.authSource)) var authSource: String?
    @Option(name: .customLong(AgentSetting.authMechanism.flag), help: help(.authMechanism)) var authMechanism: String?
    @Option(name: .customLong(AgentSetting.tlsCAFile.flag), help: help(.tlsCAFile)) var tlsCAFile: String?
    @Option(name: .customLong(AgentSetting.tlsCertificateKeyFile.flag), help: help(.tlsCertificateKeyFile))
    var tlsCertificateKeyFile: String?
    @Option(name: .customLong(AgentSetting.tlsAllowInvalidHostnames.flag), help: help(.tlsAllowInvalidHostnames))
    var tlsAllowInvalidHostnames: String?
    @Option(name: .customLong(AgentSetting.logLevel.flag), help: help(.logLevel)) var logLevel: String?

    @Flag(help: "Look at the database once, print what is found, and end: 0 when all is well.")
    var check = false

    @Flag(help: "Stay alive whatever happens to the worker: for containers. REMORA_SUPERVISE=true")
    var supervise = false

    private static func help(_ setting: AgentSetting) -> ArgumentHelp {
        ArgumentHelp("\(setting.fullHelp)", valueName: setting.flag.hasSuffix("file") ? "file" : "value")
    }

    /// What was given, by setting.
    var values: [AgentSetting: String] {
        let given: [AgentSetting: String?] = [
            .coordinator: coordinator, .caFile: caFile, .enrolmentTokenFile: enrolmentTokenFile, .stateDir: stateDir,
            .namespace: namespace, .pod: pod, .podUID: podUID, .node: node, .cluster: cluster, .engine: engine,
            .mongodbURI: mongodbURI, .endpoint: endpoint, .programsDir: programsDir, .usernameFile: usernameFile,
            .passwordFile: passwordFile, .credentialsURIFile: credentialsURIFile,
            .authSource: authSource, .authMechanism: authMechanism, .tlsCAFile: tlsCAFile,
            .tlsCertificateKeyFile: tlsCertificateKeyFile, .tlsAllowInvalidHostnames: tlsAllowInvalidHostnames,
            .logLevel: logLevel,
        ]
        return given.compactMapValues(\.self)
    }
}
