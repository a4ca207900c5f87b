import ArgumentParser
import Glibc
import ObjectStorage
import Repository

/// `remora repo dump`.
struct RepoDumpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Write one file of a snapshot to standard output."
    )

    @Argument(help: "The beginning of the snapshot's id, or latest.")
    var snapshot: String

    @Argument(help: "The file, as `remora repo ls` shows it.")
    var path: String

    @Flag(help: "Take no lock: for a repository that a dead program left locked.")
    var noLock = false

    @OptionGroup var repository: RepositoryOptions

    func run() async throws {
        guard !Surroundings.current.console.output.isTerminal || path.hasSuffix(".json") else {
            throw CommandFailure(
                .usage,
                "\(path) may be binary and would garble the terminal",
                hint: "redirect it: > file"
            )
        }
        let (path, name, isLocking) = (path, snapshot, !noLock)
        let repository = try await repository.open()
        try await RepoCommand.run("the dump") {
            try await RepositoryLease(repository).whileReading(isLocking: isLocking) {
                let id = try await repository.findSnapshot(name)
                try await repository.loadIndex()
                do {
                    try await repository.dump(id, path: path, to: STDOUT_FILENO)
                } catch let error as RepositoryError where error.code == .localFile && Self.hasNoReader(STDOUT_FILENO) {
                    throw CommandFailure(.brokenPipe, "\(error)")
                }
            }
        }
    }

    /// Whether the other end of a pipe is closed.
    private static func hasNoReader(_ descriptor: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&request, 1, 0) == 1 && Int32(request.revents) & POLLERR != 0
    }
}
