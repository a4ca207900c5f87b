/// Which way the bytes of a function go.
public enum CommandStream: String, Codable, Sendable, CaseIterable {
    /// What the program writes to its standard output becomes the file in the snapshot.
    case backup = "Backup"
    /// The file in the snapshot becomes the program's standard input.
    case restore = "Restore"
}

/// What an agent of a database that Remora doesn't know runs: a `Function` with the parameters of a task.
///
/// Texts still hold their variables: name and password of the user are the agent's own, and are filled in there. So a
/// recipe has no secret in it, and may be stored and shown.
public struct CommandRecipe: Codable, Sendable, Hashable {
    /// One variable of the program's environment.
    public struct Variable: Codable, Sendable, Hashable {
        /// Name.
        public var name: String
        /// Value, with variables in it.
        public var value: String

        /// Makes one.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The function's name, for people.
    public var function: String
    /// Which way the bytes go.
    public var stream: CommandStream
    /// Name of the program in the agent's directory of programs.
    public var program: String
    /// Its arguments, with variables in them.
    public var arguments: [String]
    /// What its environment holds besides the little that every program gets.
    public var environment: [Variable]
    /// Name of the file in the snapshot.
    public var file: String
    /// What the end of a backup's stream must contain.
    public var check: String?
    /// Seconds that the program may run; nil: as long as the session.
    public var timeOutSeconds: Int?
    /// Values of the task's parameters.
    public var parameters: [String: String]

    /// Makes a recipe.
    public init(
        function: String,
        stream: CommandStream,
        program: String,
        arguments: [String] = [],
        environment: [Variable] = [],
        file: String,
        check: String? = nil,
        timeOutSeconds: Int? = nil,
        parameters: [String: String] = [:]
    ) {
        self.function = function
        self.stream = stream
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.file = file
        self.check = check
        self.timeOutSeconds = timeOutSeconds
        self.parameters = parameters
    }

    /// Bytes at the end of a stream in which ``check`` is looked for.
    ///
    /// Short, so that the same words within the data don't count for the end.
    public static let checkedBytes = 512
}
