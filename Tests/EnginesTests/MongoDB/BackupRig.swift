import BSON
import BackupModel
import Foundation
import ObjectStorage
import Repository
import Synchronization
import TestSupport

@testable import Engines

/// What a job under test may use; remembers what it was told.
final class BackupContext: JobContext {
    private struct State {
        var lines: [String] = []
        var locks: [LockReport] = []
        var balancers: [BalancerReport] = []
        var progress: [JobProgress] = []
        var hasLapsed = false
    }

    let jobID: String
    private let state = Mutex(State())
    /// Stands for a coordinator that takes its time, or never answers.
    var onRecorded: (@Sendable (BackupContext) async throws -> Void)? {
        get { recording.withLock { $0 } }
        set { recording.withLock { $0 = newValue } }
    }
    private let recording = Mutex<(@Sendable (BackupContext) async throws -> Void)?>(nil)

    init(jobID: String = "backup-test") { self.jobID = jobID }

    func log(_ level: JobLogLevel, _ component: String, _ message: String) {
        state.withLock { $0.lines.append("\(level) \(component): \(message)") }
    }
    func report(_ progress: JobProgress) { state.withLock { $0.progress.append(progress) } }
    func report(_ lock: LockReport) { state.withLock { $0.locks.append(lock) } }
    func report(_ balancer: BalancerReport) { state.withLock { $0.balancers.append(balancer) } }
    func recorded() async throws { try await onRecorded?(self) }
    /// Where this job meets others of its session.
    let meeting = Meeting()
    func reach(_ milestone: JobMilestone) { meeting.reach(milestone) }
    func directive(where accepts: @escaping @Sendable (JobDirective) -> Bool) async throws -> JobDirective {
        try await meeting.directive(where: accepts)
    }
    var balancers: [BalancerReport] { state.withLock { $0.balancers } }
    func leaseLapse() async throws {
        while !state.withLock({ $0.hasLapsed }) { try await Task.sleep(for: .milliseconds(20)) }
    }

    func lapse() { state.withLock { $0.hasLapsed = true } }
    var log: String { state.withLock { $0.lines.joined(separator: "\n") } }
    var lines: [String] { state.withLock { $0.lines } }
    var lastLock: LockReport? { state.withLock { $0.locks.last } }
    var progress: [JobProgress] { state.withLock { $0.progress } }
}

/// A name by its bytes: two strings that only differ in Unicode normalization are equal in Swift and not in MongoDB.
struct ExactName: Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    let bytes: [UInt8]
    init(_ text: String) { bytes = [UInt8](text.utf8) }
    init(stringLiteral value: String) { self.init(value) }
    var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// A repository in a directory and an engine on a member, as an agent would have them.
struct BackupRig {
    static let passwordText = "backup-rig"
    let directory: TestDirectory
    let repository: Repository
    let stateDirectory: String

    init(_ directory: TestDirectory) async throws {
        self.directory = directory
        stateDirectory = directory.appending("state")
        repository = try await Repository.initialize(
            at: DirectoryStore(path: directory.appending("repository")),
            password: RepositoryPassword(trimming: Self.passwordText)
        )
    }

    var restic: Restic { Restic(repository: directory.appending("repository"), password: Self.passwordText) }

    func engine(
        _ server: MongoServer,
        as user: MongoUser? = .remora,
        _ change: (inout MongoDBTuning) -> Void = { _ in },
        logIn: ((inout MongoDBConfiguration) -> Void)? = nil
    ) -> MongoDBEngine {
        var configuration = MongoDBConfiguration(
            uri: "mongodb://\(server.address)",
            stateDirectory: stateDirectory,
            connectTimeoutMilliseconds: 2_000
        )
        if let logIn {
            logIn(&configuration)
        } else if server.options.isAuthenticated, let user {
            configuration.username = user.name
            configuration.password = Secret(user.password)
            configuration.authSource = user.database
        }
        var tuning = MongoDBTuning()
        change(&tuning)
        return MongoDBEngine(configuration, tuning: tuning)
    }

    /// Backs up and publishes, as the agent's job runner does.
    @discardableResult
    func backUp(
        _ engine: any Engine,
        _ spec: BackupSpec = BackupSpec(),
        context: BackupContext = BackupContext()
    ) async throws -> Backup {
        let repository = try await Repository.open(
            at: DirectoryStore(path: directory.appending("repository")),
            password: RepositoryPassword(trimming: Self.passwordText)
        )
        try await repository.loadIndex()
        let writer = repository.makeWriter()
        let output = try await engine.backUp(spec, into: writer, context: context)
        let tree = try await writer.storeTree(output.files)
        try await writer.flush()
        let id = try await writer.commit(
            Snapshot(time: .now(), tree: tree, paths: ["/mongodb"], hostname: "test", username: "remora", tags: [])
        )
        return Backup(id: "\(id)", output: output, statistics: writer.statistics)
    }

    struct Backup {
        let id: String
        let output: BackupOutput
        let statistics: WriterStatistics
        var result: BackupResult { output.result }
    }

    /// Lets stock restic write a snapshot into a directory; returns the files by path.
    func restore(_ backup: Backup) async throws -> [ExactName: [UInt8]] {
        let target = directory.appending("restored-\(backup.id.prefix(8))")
        try await restic.run("restore", backup.id, "--target", target)
        var files: [ExactName: [UInt8]] = [:]
        let enumerator = FileManager.default.enumerator(atPath: target)
        while let path = enumerator?.nextObject() as? String {
            var isDirectory: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(target)/\(path)", isDirectory: &isDirectory)
            if !isDirectory.boolValue {
                files[ExactName(path)] = [UInt8](try Data(contentsOf: URL(filePath: "\(target)/\(path)")))
            }
        }
        return files
    }

    static func manifest(_ files: [ExactName: [UInt8]]) throws -> MongoDBManifest {
        try WireJSON.decode(MongoDBManifest.self, from: files[ExactName(MongoDBManifest.fileName)] ?? [])
    }
}
