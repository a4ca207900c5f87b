/// How to reach and open a database that Remora doesn't know, and what may be run for it.
public struct CommandConfiguration: Sendable, Hashable {
    /// The engine's name, like `mysql`.
    public var engine: String
    /// Where the database listens.
    public var endpoint: Endpoint
    /// User name; nil without authentication.
    public var username: String?
    /// Password of that user.
    public var password: Secret?
    /// File with the user's name, read for every job so that it can be changed; `username` while it can't be read.
    public var usernameFile: String?
    /// File with the password, likewise.
    public var passwordFile: String?
    /// The only directory whose programs are run.
    public var programsDirectory: String
    /// What the buffers of a job may take.
    public var memory = MemoryBudget()

    /// Makes a configuration.
    public init(
        engine: String,
        endpoint: Endpoint,
        username: String? = nil,
        password: Secret? = nil,
        programsDirectory: String
    ) {
        self.engine = engine
        self.endpoint = endpoint
        self.username = username
        self.password = password
        self.programsDirectory = programsDirectory
    }

    /// The configuration with the name and the password that their files have now.
    public func current() -> CommandConfiguration {
        var current = self
        if let name = CredentialFile.text(usernameFile) { current.username = name }
        if let password = CredentialFile.text(passwordFile) { current.password = Secret(password) }
        return current
    }

    /// The database in sentences: `mysql at 127.0.0.1:3306`.
    var database: String { "\(engine) at \(endpoint)" }
}
