import BackupModel
public import Engines
public import Logging

/// Everything an agent was told, checked: a function of flags, environment and the files they name.
public struct AgentSettings: Sendable {
    /// For the service.
    public var configuration: AgentConfiguration
    /// For MongoDB.
    public var mongoDB: MongoDBConfiguration
    /// For a database that Remora doesn't know; nil where it is MongoDB.
    public var command: CommandConfiguration?
    /// Lines below it are not written.
    public var logLevel: Logger.Level
    /// Values that must never show.
    public var secrets: [String]

    /// Resolves the settings; a flag wins over its variable.
    ///
    /// - Parameters:
    ///   - flags: what the command line gave.
    ///   - environment: the process's environment.
    ///   - version: the agent's version.
    ///   - needsCoordinator: false for a look at the database alone, for which half of the settings don't matter.
    ///   - memoryLimit: bytes that the process may take; nil without a limit.
    ///   - readFile: gives a file's text; nil when it isn't there.
    /// - Throws: `AgentError` with code `.invalidConfiguration`: which setting, what is wrong, what would be right.
    public init(
        flags: [AgentSetting: String],
        environment: [String: String],
        version: String,
        needsCoordinator: Bool = true,
        memoryLimit: Int? = AgentSettings.memoryLimit(),
        readFile: @escaping (String) throws -> String? = AgentSettings.read
    ) throws {
        let source = Source(flags: flags, environment: environment, readFile: readFile)
        if needsCoordinator { try source.checkRequired() }
        configuration = AgentConfiguration(
            coordinatorURL: source[.coordinator] ?? "",
            enrolmentTokenFile: source[.enrolmentTokenFile] ?? "",
            stateDirectory: source[.stateDir] ?? "",
            namespace: source[.namespace] ?? "",
            pod: source[.pod] ?? "",
            cluster: source[.cluster] ?? "",
            version: version
        )
        configuration.caFile = source[.caFile]
        configuration.podUID = source[.podUID]
        configuration.node = source[.node]
        if needsCoordinator { try configuration.validate() }
        mongoDB = try Self.mongoDB(source)
        command = try Self.command(source)
        configuration.memory = MemoryBudget(limit: memoryLimit)
        mongoDB.memory = configuration.memory
        command?.memory = configuration.memory
        logLevel = try Self.logLevel(source[.logLevel] ?? "")
        secrets = [mongoDB.password?.value].compactMap(\.self) + Self.passwords(inURI: mongoDB.uri)
    }

    /// The engine that these settings are for.
    public func makeEngine() -> any Engine { command.map(CommandEngine.init) ?? MongoDBEngine(mongoDB) }

    private static func command(_ source: Source) throws -> CommandConfiguration? {
        let name = source[.engine] ?? ""
        let isKnown = BuiltIn.engines.contains(name)
        let useless = AgentSetting.allCases.filter {
            source.isGiven($0) && (isKnown ? $0 == .endpoint : $0.isForMongoDB)
        }
        if let setting = useless.first {
            throw AgentError(
                .invalidConfiguration,
                "--\(setting.flag) (\(setting.environmentVariable)) means nothing for --engine \(name): remove it"
            )
        }
        if isKnown { return nil }
        if let reason = AppBindingSpec.reasonAgainst(engine: name) {
            throw AgentError(.invalidConfiguration, "--engine \(reason)")
        }
        guard let text = source[.endpoint], let endpoint = Endpoint(text) else {
            let given = source[.endpoint].map { "is '\($0)'" } ?? "is missing"
            throw AgentError(
                .invalidConfiguration,
                "--endpoint \(given): write HOST:PORT of the \(name) beside the agent, like 127.0.0.1:3306"
            )
        }
        let directory = source[.programsDir] ?? ""
        guard directory.hasPrefix("/") else {
            throw AgentError(.invalidConfiguration, "--programs-dir is '\(directory)'; it must be an absolute path")
        }
        var command = CommandConfiguration(
            engine: name,
            endpoint: endpoint,
            username: try source.fileOrValue(.usernameFile, .username),
            password: try source.fileOrValue(.passwordFile, .password).map { Secret($0) },
            programsDirectory: directory
        )
        command.usernameFile = source[.usernameFile]
        command.passwordFile = source[.passwordFile]
        return command
    }

    private static func logLevel(_ text: String) throws -> Logger.Level {
        switch text {
        case "debug": return .debug
        case "info": return .info
        case "warning": return .warning
        case "error": return .error
        default:
            throw AgentError(
                .invalidConfiguration,
                "there is no log level \"\(text)\"; there are: debug, info, warning, error"
            )
        }
    }

    private static func mongoDB(_ source: Source) throws -> MongoDBConfiguration {
        let uri = source[.mongodbURI] ?? ""
        if source.isFromFlag(.mongodbURI), !passwords(inURI: uri).isEmpty {
            throw AgentError(
                .invalidConfiguration,
                "the connection string on the command line holds a password, which every process of the host can see: "
                    + "give it by --password-file, or the whole string by \(AgentSetting.mongodbURI.environmentVariable)"
            )
        }
        var mongoDB = MongoDBConfiguration(
            uri: uri,
            username: try source.fileOrValue(.usernameFile, .username),
            password: try source.fileOrValue(.passwordFile, .password).map { Secret($0) },
            authSource: source[.authSource],
            authMechanism: source[.authMechanism],
            appName: "remora-agent",
            stateDirectory: source[.stateDir] ?? ""
        )
        mongoDB.usernameFile = source[.usernameFile]
        mongoDB.passwordFile = source[.passwordFile]
        mongoDB.credentialsURIFile = source[.credentialsURIFile]
        if let text = try source.text(of: .credentialsURIFile) {
            if let other = [AgentSetting.usernameFile, .passwordFile, .username, .password].first(where: source.isGiven)
            {
                throw AgentError(
                    .invalidConfiguration,
                    "--\(AgentSetting.credentialsURIFile.flag) names the user already: remove \(other.environmentVariable)"
                )
            }
            do throws(MongoError) {
                mongoDB.take(try CredentialURI(text))
            } catch {
                throw AgentError(
                    .invalidConfiguration,
                    "the file \(source[.credentialsURIFile] ?? "") of --\(AgentSetting.credentialsURIFile.flag) can't be "
                        + "used: \(error.message)"
                )
            }
        }
        if let host = source[.tlsAllowInvalidHostnames], host != "true", host != "false" {
            throw AgentError(.invalidConfiguration, "--tls-allow-invalid-hostnames is \"\(host)\": write true or false")
        }
        if source[.tlsCAFile] != nil || source[.tlsCertificateKeyFile] != nil {
            mongoDB.tls = MongoDBConfiguration.TLS(
                caFile: source[.tlsCAFile],
                certificateKeyFile: source[.tlsCertificateKeyFile],
                allowInvalidHostnames: source[.tlsAllowInvalidHostnames] == "true"
            )
        }
        return mongoDB
    }

    /// The password in a connection string as it is written there, if there is one.
    static func passwords(inURI uri: String) -> [String] {
        guard let scheme = uri.firstRange(of: "://") else { return [] }
        let authority = uri[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else { return [] }
        let password = String(authority[authority.index(after: colon)..<at])
        return password.isEmpty ? [] : [password]
    }

    /// The memory limit of the process's control group; nil when there is none, or none that can be read.
    public static func memoryLimit() -> Int? { ControlGroup().memoryLimit }

    /// The password as its file has it now: nothing that is said from here on may show it.
    public func currentSecrets() -> [String] {
        [mongoDB.current().password?.value].compactMap(\.self)
    }

    /// A file's text; nil when it isn't there.
    public static func read(_ path: String) throws -> String? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let directory = path.contains("/") ? parts.dropLast().joined(separator: "/") : "."
        return try DurableFile(directory: directory, name: parts.last.map(String.init) ?? path).read()
            .map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Where values come from.
private struct Source {
    let flags: [AgentSetting: String]
    let environment: [String: String]
    let readFile: (String) throws -> String?

    subscript(setting: AgentSetting) -> String? {
        if let value = flags[setting], !value.isEmpty { return value }
        // An empty variable is what templates leave for "not set".
        if let value = environment[setting.environmentVariable], !value.isEmpty { return value }
        return setting.defaultValue
    }

    /// Whether somebody set it.
    func isGiven(_ setting: AgentSetting) -> Bool {
        isFromFlag(setting) || environment[setting.environmentVariable]?.isEmpty == false
    }

    func isFromFlag(_ setting: AgentSetting) -> Bool { flags[setting]?.isEmpty == false }

    func checkRequired() throws {
        let missing = AgentSetting.allCases.filter { $0.isRequired && self[$0] == nil }
        guard missing.isEmpty else {
            let names = missing.map { "--\($0.flag) (or \($0.environmentVariable))" }.joined(separator: ", ")
            throw AgentError(.invalidConfiguration, "missing: \(names)")
        }
    }

    /// A value from its file, else from the environment; trailing white space, as editors leave it, is not part of it.
    func fileOrValue(_ file: AgentSetting, _ value: AgentSetting) throws -> String? {
        try text(of: file) ?? self[value]
    }

    /// What stands in a setting's file; nil when none is named.
    func text(of file: AgentSetting) throws -> String? {
        guard let path = self[file] else { return nil }
        guard let text = try readFile(path) else {
            throw AgentError(.invalidConfiguration, "the file \(path) of --\(file.flag) is not there")
        }
        var trimmed = text[...]
        while let last = trimmed.last, last.isWhitespace { trimmed.removeLast() }
        guard !trimmed.isEmpty else {
            throw AgentError(.invalidConfiguration, "the file \(path) of --\(file.flag) is empty")
        }
        return String(trimmed)
    }
}
