import ArgumentParser
import Glibc
import ObjectStorage
import Repository

/// A time as snapshots have it (`BackupModel` has a `Timestamp` of its own).
typealias SnapshotTime = Timestamp

/// Which repository, and what opens it.
struct RepositoryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where it is: /path, s3:https://host:port/bucket/prefix, s3://bucket/prefix. REMORA_REPOSITORY",
            discussion: """
                A group's repository is at PREFIX/NAMESPACE/TARGET/GROUP. S3 is opened by AWS_ACCESS_KEY_ID and \
                AWS_SECRET_ACCESS_KEY; CA_CERT_FILE names a private authority.
                """,
            valueName: "url"
        )
    )
    var repository: String?

    @Option(
        help: ArgumentHelp(
            "File with its password.",
            discussion: """
                Otherwise REMORA_PASSWORD_FILE, REMORA_PASSWORD, RESTIC_PASSWORD_FILE or RESTIC_PASSWORD; on a \
                terminal you are asked.
                """,
            valueName: "file"
        )
    )
    var passwordFile: String?

    /// The store; nothing is connected yet.
    func store() throws -> any ObjectStore {
        let surroundings = Surroundings.current
        guard
            let text = repository ?? surroundings.variable("REMORA_REPOSITORY")
                ?? surroundings.variable("RESTIC_REPOSITORY")
        else { throw CommandFailure(.usage, "no repository is named", hint: "give --repository or REMORA_REPOSITORY") }
        let values = StorageCredentials.names.compactMap { name in
            surroundings.variable(name).map { (name, $0) }
        }
        let console = surroundings.console
        return try StorageLocation(text).open(
            credentials: StorageCredentials(Dictionary(uniqueKeysWithValues: values)),
            onRetry: { console.warn($0) }
        )
    }

    /// The password, from the first place that has one.
    func password(isNew: Bool = false) throws -> RepositoryPassword {
        let surroundings = Surroundings.current
        if let passwordFile { return try RepositoryPassword(file: passwordFile) }
        for prefix in ["REMORA", "RESTIC"] {
            if let path = surroundings.variable("\(prefix)_PASSWORD_FILE") { return try RepositoryPassword(file: path) }
            if let text = surroundings.variable("\(prefix)_PASSWORD") { return try RepositoryPassword(trimming: text) }
        }
        guard surroundings.console.error.isTerminal, isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure(
                .usage,
                "the repository's password is not given",
                hint: "give --password-file, or REMORA_PASSWORD_FILE or REMORA_PASSWORD in the environment"
            )
        }
        let first = try Self.ask("Password of the repository: ")
        if isNew, try Self.ask("The same again: ") != first {
            throw CommandFailure(.usage, "the two passwords differ")
        }
        return try RepositoryPassword(trimming: first)
    }

    private static func ask(_ prompt: String) throws -> String {
        guard let answer = getpass(prompt) else { throw CommandFailure(.usage, "no password was given") }
        return String(cString: answer)
    }

    /// Opens the repository, without its index.
    func open() async throws -> Repository {
        let store = try store()
        return try await Repository.open(at: store, password: try password())
    }
}
