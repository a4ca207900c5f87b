/// Stock restic on one repository: the independent judge of what we write, and the author of what we must read.
public struct Restic: Sendable {
    /// Where the repository is, in restic's own words: `/path`, `s3:http://127.0.0.1:port/bucket/prefix`.
    public let repository: String
    private let environment: [String: String?]
    private let options: [String]

    /// Makes one; `environment` holds the storage's credentials (`AWS_ACCESS_KEY_ID` …), `caFile` its authority.
    public init(
        repository: String,
        password: String,
        environment: [String: String] = [:],
        caFile: String? = nil
    ) {
        self.repository = repository
        var all: [String: String?] = environment.mapValues { $0 }
        // By the environment, so that no secret shows in the list of processes.
        all["RESTIC_REPOSITORY"] = repository
        all["RESTIC_PASSWORD"] = password
        all["RESTIC_PROGRESS_FPS"] = "0.1"
        self.environment = all
        options = ["--no-cache", "--quiet"] + (caFile.map { ["--cacert", $0] } ?? [])
    }

    /// Runs a restic command and demands that it succeeds.
    @discardableResult public func run(
        _ arguments: String...,
        input: [UInt8] = [],
        directory: String? = nil
    ) async throws -> Command.Output {
        try await command(arguments, input: input, directory: directory).run()
    }

    /// Runs a restic command; a failing exit is an answer.
    public func output(_ arguments: String..., input: [UInt8] = []) async throws -> Command.Output {
        try await command(arguments, input: input, directory: nil).output()
    }

    /// `restic check --read-data`: throws with what it said unless the repository is whole.
    public func check() async throws {
        try await run("check", "--read-data")
    }

    private func command(_ arguments: [String], input: [UInt8], directory: String?) throws -> Command {
        Command(
            try Tools.restic(),
            options + arguments,
            environment: environment,
            directory: directory,
            input: input,
            limit: .seconds(300)
        )
    }
}
