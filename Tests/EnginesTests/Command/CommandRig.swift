import BackupModel
import Foundation
import ObjectStorage
import Repository
import TestSupport

@testable import Engines

/// A repository, a directory of programs that are shell scripts, and an engine that runs them.
struct CommandRig {
    static let password = "s3cr3t-of-the-test"
    let directory: TestDirectory
    let repositoryRig: BackupRig
    let programs: String

    init(_ directory: TestDirectory) async throws {
        self.directory = directory
        repositoryRig = try await BackupRig(directory)
        programs = try directory.makeDirectory("programs")
    }

    /// Writes a program: a script of these lines, which finds the usual commands.
    func program(_ name: String, _ script: String) throws {
        try directory.write("#!/bin/sh\nPATH=/usr/bin:/bin\n\(script)\n", to: "programs/\(name)")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(programs)/\(name)")
    }

    /// The engine; nobody listens at its endpoint unless a port is given.
    func engine(port: Int = 1, trust: Duration = .seconds(60)) -> CommandEngine {
        let configuration = CommandConfiguration(
            engine: "mysql",
            endpoint: Endpoint(host: "127.0.0.1", port: port),
            username: "remora",
            password: Secret(Self.password),
            programsDirectory: programs
        )
        return CommandEngine(configuration, trust: trust)
    }

    func dump(_ change: (inout CommandRecipe) -> Void = { _ in }) -> BackupSpec {
        var recipe = CommandRecipe(function: "mysql-dump", stream: .backup, program: "dump", file: "dump.sql")
        change(&recipe)
        return BackupSpec(consistency: Consistency.none, command: recipe)
    }

    func load(_ snapshot: String, _ change: (inout CommandRecipe) -> Void = { _ in }) -> RestoreSpec {
        var recipe = CommandRecipe(function: "mysql-load", stream: .restore, program: "load", file: "dump.sql")
        change(&recipe)
        return RestoreSpec(snapshotID: snapshot, conflict: .dropCollections, command: recipe)
    }

    /// Backs up and publishes.
    func backUp(_ spec: BackupSpec, context: BackupContext = BackupContext()) async throws -> BackupRig.Backup {
        try await repositoryRig.backUp(engine(), spec, context: context)
    }

    /// Restores a snapshot.
    func restore(_ spec: RestoreSpec, context: BackupContext = BackupContext()) async throws -> RestoreResult {
        let repository = try await Repository.open(
            at: DirectoryStore(path: directory.appending("repository")),
            password: RepositoryPassword(trimming: BackupRig.passwordText)
        )
        try await repository.loadIndex()
        let reader = try await repository.reader(of: try await repository.findSnapshot(spec.snapshotID))
        return try await engine().restore(spec, from: reader, context: context)
    }

    /// Whether the process that a program wrote into a file is still there.
    func isRunning(pidFile: String) throws -> Bool {
        let text = try String(contentsOfFile: directory.appending(pidFile), encoding: .utf8)
        guard let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw TestSupportError("\(pidFile) holds no process id: \(text)")
        }
        // What nobody has reaped yet runs no more.
        let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        return status.map { !$0.contains(") Z ") } ?? false
    }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: directory.appending(name))))
    }
}
