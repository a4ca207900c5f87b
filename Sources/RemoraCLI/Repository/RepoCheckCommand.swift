import ArgumentParser
import BackupModel
import Engines
import ObjectStorage
import Repository

/// `remora repo check`.
struct RepoCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look whether every snapshot can be restored."
    )

    @Flag(help: "Read every byte, instead of only looking whether everything is there.")
    var readData = false

    @Flag(help: "Take no lock: for a repository that a dead program left locked.")
    var noLock = false

    @OptionGroup var repository: RepositoryOptions
    @OptionGroup var output: OutputOptions

    /// `-o json`.
    struct Answer: Codable, Sendable, Hashable {
        struct Finding: Codable, Sendable, Hashable {
            var severity: String
            var file: String
            var message: String
        }

        var isSound: Bool
        var readData: Bool
        var snapshots: Int
        var indexFiles: Int
        var packs: Int
        var blobs: Int
        var trees: Int
        var bytesRead: UInt64
        var findings: [Finding]

        init(_ report: CheckReport, readData: Bool) {
            isSound = report.isSound
            self.readData = readData
            snapshots = report.snapshots
            indexFiles = report.indexFiles
            packs = report.packs
            blobs = report.blobs
            trees = report.trees
            bytesRead = report.bytesRead
            findings = report.findings.map {
                Finding(severity: $0.severity.rawValue, file: $0.file, message: $0.message)
            }
        }
    }

    func run() async throws {
        let surroundings = Surroundings.current
        let (readData, isLocking) = (readData, !noLock)
        let repository = try await repository.open()
        let display = ProgressDisplay.suitable(surroundings, isJSON: output.isJSON)
        let job = LocalJob(display: display, clock: surroundings.clock, minimumLevel: .info)
        let report = try await RepoCommand.run("the check") {
            try await RepositoryLease(repository).whileReading(isLocking: isLocking) {
                try await job.shown(as: "checking \(repository.store.location)") {
                    try await repository.check(readData: readData) { progress in
                        job.report(step: "\(progress.phase.rawValue) \(progress.done) of \(progress.total)")
                    }
                }
            }
        }
        let answer = Answer(report, readData: readData)
        try output.show(answer) { Self.page(answer) }
        guard report.isSound else {
            let count = Format.count(Int64(report.errors.count), "error")
            throw CommandFailure(
                .damaged,
                "the repository in \(repository.store.location) is damaged: \(count)",
                hint: "the files named above are lost or changed; other snapshots may be whole: restore one to be sure"
            )
        }
    }

    static func page(_ answer: Answer) -> Page {
        var page = Page()
        for finding in answer.findings {
            page.add(
                "\(finding.severity.padded(to: 5), finding.severity == "error" ? .bad : .caution)  \(finding.message)"
            )
        }
        let amount =
            "\(Format.count(Int64(answer.snapshots), "snapshot")), \(Format.count(Int64(answer.packs), "pack")), "
            + Format.count(Int64(answer.blobs), "blob")
        let depth =
            answer.readData
            ? "every byte was read (\(Format.bytes(answer.bytesRead)))"
            : "everything is there; --read-data reads every byte too"
        page.add(
            answer.isSound ? "\("sound", .good): \(amount); \(depth)" : "\("damaged", .bad): \(amount)"
        )
        return page
    }
}
