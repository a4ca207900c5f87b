import Foundation

/// A whole Remora as a person would start it, in one directory.
///
/// A coordinator with objects, secrets and state, agents beside database members, and the command line to drive it:
/// everything is our real programs as processes. The names are fixed, so that tests read alike: namespace `demo`, target `shop`, repository `main`,
/// configuration `shop`.
public final class Deployment: Sendable {
    /// Where everything lies.
    public let directory: TestDirectory
    /// The programs.
    public let binaries: Binaries
    /// The coordinator.
    public let coordinator: Server
    /// Its URL.
    public let url: String
    /// The authority of its certificate; nil when it speaks plain HTTP.
    public let caFile: String?
    /// The repository's password.
    public static let repositoryPassword = "correct horse battery staple"

    /// Writes objects and secrets, and describes the coordinator without starting it.
    ///
    /// - Parameters:
    ///   - directory: where everything goes.
    ///   - binaries: the programs.
    ///   - repository: YAML of `spec.backend`, indented by four spaces; the default is a directory `repository`.
    ///   - configuration: more lines of `BackupConfiguration.spec`, indented by two spaces.
    ///   - storageSecret: keys and values besides `RESTIC_PASSWORD`.
    ///   - coordinatorArguments: more arguments of the coordinator.
    ///   - agentSettings: environment of the agents.
    ///   - certificates: the coordinator speaks HTTPS with these; agents and command line are given their authority.
    ///   - host: the address at which the coordinator listens.
    ///   - port: its port; by default a free one.
    ///   - agentURL: what agents are told instead of its URL: that of a proxy before it.
    /// - Throws: `TestSupportError` when a file can't be written.
    public init(
        in directory: TestDirectory,
        binaries: Binaries,
        repository: String? = nil,
        configuration: String = "",
        storageSecret: [String: String] = [:],
        coordinatorArguments: [String] = [],
        agentSettings: [String: String] = [:],
        certificates: Certificates? = nil,
        host: String = "127.0.0.1",
        port: UInt16? = nil,
        agentURL: String? = nil
    ) throws {
        self.directory = directory
        self.binaries = binaries
        self.agentSettings = agentSettings
        let port = try port ?? Ports.free()
        url = "\(certificates == nil ? "http" : "https")://\(host):\(port)"
        self.agentURL = agentURL ?? url
        caFile = certificates?.caFile
        let tls = certificates.map {
            ["--tls-certificate", $0.serverCertificateFile, "--tls-key", $0.serverKeyFile]
        }
        for folder in ["objects", "secrets/storage", "state"] { _ = try directory.makeDirectory(folder) }
        let backend = repository ?? "    local:\n      mountPath: \(directory.appending("repository"))"
        try directory.write(
            Self.objects(backend: backend, configuration: configuration),
            to: "objects/shop.yaml"
        )
        try directory.write(Self.repositoryPassword, to: "secrets/storage/RESTIC_PASSWORD")
        for (key, value) in storageSecret { try directory.write(value, to: "secrets/storage/\(key)") }
        try directory.write("enrolment-\(UInt64.random(in: .min ... .max))", to: "enrolment.token")
        coordinator = Server(
            "coordinator",
            program: binaries.path("remora-coordinator"),
            arguments: [
                "--objects", directory.appending("objects"), "--secrets", directory.appending("secrets"),
                "--state", directory.appending("state"), "--listen", "\(host):\(port)",
                "--enrolment-token-file", directory.appending("enrolment.token"),
            ] + (tls ?? []) + coordinatorArguments,
            logPath: directory.appending("coordinator.log")
        )
    }

    private let agentSettings: [String: String]
    private let agentURL: String

    /// The objects of a target called `shop`.
    public static func objects(backend: String, configuration: String) -> String {
        """
        apiVersion: remora.dev/v1alpha1
        kind: Repository
        metadata:
          name: main
          namespace: demo
        spec:
          backend:
        \(backend)
            storageSecretName: storage
        ---
        apiVersion: remora.dev/v1alpha1
        kind: AppBinding
        metadata:
          name: shop
          namespace: demo
        spec:
          type: mongodb
        ---
        apiVersion: remora.dev/v1alpha1
        kind: BackupConfiguration
        metadata:
          name: shop
          namespace: demo
        spec:
          schedule: "@yearly"
          repository:
            name: main
          target:
            ref:
              apiVersion: remora.dev/v1alpha1
              kind: AppBinding
              name: shop
        \(configuration)
        """
    }

    /// Starts the coordinator and waits until it is ready.
    public func startCoordinator() async throws {
        try await coordinator.launch()
        try await coordinator.waitUntilReady(within: .seconds(30)) {
            let authority = caFile.map { ["--cacert", $0] } ?? []
            let arguments = ["-fsS", "-m", "2", "-o", "/dev/null"] + authority + ["\(url)/readyz"]
            return try await Command("/usr/bin/curl", arguments).output().status.succeeded
        }
    }

    /// Describes an agent beside a member; `launch` starts it.
    ///
    /// - Parameters:
    ///   - name: the pod's.
    ///   - uri: of the member.
    ///   - user: who logs in there.
    ///   - password: that user's.
    ///   - knowsAuthority: whether it is given the authority of the coordinator's certificate.
    ///   - arguments: more of the agent's arguments.
    ///   - network: where it runs; nil is this host's.
    /// - Returns: the agent, not yet started.
    /// - Throws: `TestSupportError` when a file can't be written.
    public func makeAgent(
        _ name: String,
        uri: String,
        user: String? = nil,
        password: String? = nil,
        knowsAuthority: Bool = true,
        arguments: [String] = [],
        network: NetworkNamespace? = nil
    ) throws -> Server {
        var all = [
            "--coordinator", agentURL, "--enrolment-token-file", directory.appending("enrolment.token"),
            "--state-dir", try directory.makeDirectory("agent-\(name)"), "--namespace", "demo", "--pod", name,
            "--cluster", "shop", "--engine", "mongodb", "--mongodb-uri", uri,
        ]
        if knowsAuthority, let caFile { all += ["--ca-file", caFile] }
        if let user, let password {
            try directory.write(user, to: "agent-\(name).user")
            try directory.write(password, to: "agent-\(name).password")
            all += [
                "--username-file", directory.appending("agent-\(name).user"),
                "--password-file", directory.appending("agent-\(name).password"),
            ]
        }
        let agent = (program: binaries.path("remora-agent"), arguments: all + arguments)
        let (program, words) = try network?.command(agent.program, agent.arguments) ?? agent
        return Server(
            "agent \(name)",
            program: program,
            arguments: words,
            environment: agentSettings,
            logPath: directory.appending("agent-\(name).log")
        )
    }

    /// The environment that makes `remora` speak to this coordinator.
    public var clientEnvironment: [String: String?] {
        [
            "REMORA_COORDINATOR": url, "REMORA_TOKEN_FILE": directory.appending("state/admin.token"), "NO_COLOR": "1",
            "REMORA_CA_FILE": caFile,
        ]
    }

    /// Runs `remora` with these arguments; a failing exit is an answer.
    ///
    /// - Parameters:
    ///   - arguments: the command and what belongs to it.
    ///   - environment: laid over `clientEnvironment`.
    ///   - limit: it is killed after this.
    /// - Returns: what it said, and how it ended.
    /// - Throws: `TestSupportError` when it can't be started.
    public func remora(
        _ arguments: String...,
        environment: [String: String?] = [:],
        limit: Duration = .seconds(180)
    ) async throws -> Command.Output {
        try await Command(
            binaries.path("remora"),
            arguments,
            environment: clientEnvironment.merging(environment) { $1 },
            limit: limit
        ).output()
    }

    /// Runs `remora … -o json` and decodes what it prints.
    public func json(_ arguments: String..., limit: Duration = .seconds(180)) async throws -> JSONValue {
        try await json(arguments, limit: limit)
    }

    /// The same with a list of arguments.
    public func json(_ arguments: [String], limit: Duration = .seconds(180)) async throws -> JSONValue {
        let output = try await Command(
            binaries.path("remora"),
            arguments + ["-o", "json"],
            environment: clientEnvironment,
            limit: limit
        ).run()
        return try JSONDecoder().decode(JSONValue.self, from: Data(output.bytes))
    }
}
