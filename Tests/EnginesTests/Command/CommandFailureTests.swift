import BackupModel
import Foundation
import ObjectStorage
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("A program that fails, in whatever way, makes no backup and leaves nothing behind")
struct CommandFailureTests {
    private func failure(_ script: String, _ change: @escaping @Sendable (inout CommandRecipe) -> Void = { _ in })
        async throws -> JobFailure
    {
        try await withTestDirectory("command-failure") { directory in
            let rig = try await CommandRig(directory)
            try rig.program("dump", script)
            let failure = try await #require(throws: JobFailure.self) { _ = try await rig.backUp(rig.dump(change)) }
            let repository = try await Repository.open(
                at: DirectoryStore(path: directory.appending("repository")),
                password: RepositoryPassword(trimming: BackupRig.passwordText)
            )
            #expect(try await repository.snapshots().isEmpty)
            return failure
        }
    }

    @Test("an exit code is told with what the program said last, without the password")
    func exitCode() async throws {
        let failure = try await failure("echo data; echo one >&2; echo \"two $PW\" >&2; exit 3") {
            $0.environment = [.init(name: "PW", value: "${PASSWORD}")]
        }
        #expect(failure.code == "programFailed")
        #expect(failure.message == "dump ended with exit code 3: one; two \(Redactor.mark)")
    }

    @Test("a signal is told by its name")
    func signal() async throws {
        let failure = try await failure("echo data; kill -9 $$")
        #expect(failure.message == "dump was ended by signal 9 (Killed) and said nothing")
    }

    @Test("a file that can't be run says why")
    func noInterpreter() async throws {
        try await withTestDirectory("command-interpreter") { directory in
            let rig = try await CommandRig(directory)
            try rig.program("dump", "")
            let program = try FileHandle(forWritingTo: URL(filePath: directory.appending("programs/dump")))
            try program.write(contentsOf: Data("#!/nowhere/at/all\n".utf8))
            try program.close()
            let failure = try await #require(throws: JobFailure.self) { _ = try await rig.backUp(rig.dump()) }
            #expect(failure.message == "dump ended with exit code 127: No such file or directory")
        }
    }

    @Test("an empty stream is no backup, and neither is one without its last line")
    func incomplete() async throws {
        #expect(try await failure("exit 0").code == "dumpIncomplete")
        let cut = try await failure("echo '-- Dump completed'; head -c 600 /dev/zero") {
            $0.check = "-- Dump completed"
        }
        #expect(cut.code == "dumpIncomplete" && cut.message.contains("'-- Dump completed' (the Function's check)"))
    }

    @Test("a program that runs too long is ended with all that it started, even when it doesn't want to")
    func timeOut() async throws {
        try await withTestDirectory("command-late") { directory in
            let rig = try await CommandRig(directory)
            try rig.program("dump", Self.stubborn(directory))
            let failure = try await #require(throws: JobFailure.self) {
                _ = try await rig.backUp(rig.dump { $0.timeOutSeconds = 1 })
            }
            #expect(failure.code == "programTimedOut" && failure.message.contains("(timeOut, 1 s): working"))
            #expect(try !rig.isRunning(pidFile: "parent.pid"))
            try await eventually("the child is gone", within: .seconds(10)) { try !rig.isRunning(pidFile: "child.pid") }
        }
    }

    /// Ignores SIGTERM, has a child that does so too, and both keep the output open.
    private static func stubborn(_ directory: TestDirectory) -> String {
        """
        trap '' TERM; echo $$ > '\(directory.appending("parent.pid"))'
        sh -c 'trap "" TERM; while :; do sleep 0.05; done' & echo $! > '\(directory.appending("child.pid"))'
        echo working >&2; echo data; while :; do sleep 0.05; done
        """
    }

    @Test("cancelling ends the program and all that it started, even when it doesn't want to")
    func cancellation() async throws {
        try await withTestDirectory("command-cancel") { directory in
            let rig = try await CommandRig(directory)
            try rig.program("dump", Self.stubborn(directory))
            let context = BackupContext()
            let job = Task { try await rig.backUp(rig.dump(), context: context) }
            try await eventually("the program works") { context.log.contains("dump: working") }
            job.cancel()
            await #expect(throws: CancellationError.self) { _ = try await job.value }
            #expect(try !rig.isRunning(pidFile: "parent.pid"))
            try await eventually("the child is gone", within: .seconds(10)) { try !rig.isRunning(pidFile: "child.pid") }
        }
    }

    @Test("what a program leaves running in its group is ended with it")
    func stragglers() async throws {
        try await withTestDirectory("command-stragglers") { directory in
            let rig = try await CommandRig(directory)
            let pid = directory.appending("child.pid")
            try rig.program("dump", "sleep 600 >/dev/null 2>&1 & echo $! > '\(pid)'; echo data")
            _ = try await rig.backUp(rig.dump())
            try await eventually("the child is gone") { try !rig.isRunning(pidFile: "child.pid") }
        }
    }

    @Test("a recipe that can't be carried out is refused before anything runs, with what there is")
    func recipes() async throws {
        try await withTestDirectory("command-recipes") { directory in
            let rig = try await CommandRig(directory)
            try rig.program("dump", "touch '\(directory.appending("ran"))'; echo data")
            try directory.write("no program", to: "programs/notes.txt")
            let cases: [(@Sendable (inout CommandRecipe) -> Void, String)] = [
                ({ $0.arguments = ["-p${PASSWORD}"] }, "${PASSWORD} is in an argument"),
                ({ $0.arguments = ["${NAME}"] }, "'${NAME}' has the variable ${NAME}, which does not exist"),
                ({ $0.arguments = ["${PARAM_a}"] }, "parameter 'a' has no value"),
                (
                    {
                        $0.arguments = ["${PARAM_a}"]
                        $0.parameters = ["a": "--result-file=/x"]
                    }, "the value of ${PARAM_a} begins with '-', which would make it an option"
                ),
                (
                    {
                        $0.arguments = ["--x=${PARAM_a}"]
                        $0.parameters = ["a": "a\0b"]
                    }, "becomes a text with a NUL in it"
                ),
                (
                    { $0.program = "notes.txt" },
                    "there is no program 'notes.txt' in \(rig.programs) of the agent; there are: dump"
                ),
                ({ $0.program = "../programs/dump" }, "is not the bare name of a program"),
                ({ $0.program = ".." }, "is not the bare name of a program"),
                ({ $0.stream = .restore }, "its stream is Restore"),
            ]
            for (change, words) in cases {
                let failure = try await #require(throws: JobFailure.self) {
                    _ = try await rig.backUp(rig.dump(change))
                }
                #expect(failure.code == "badConfiguration" && failure.message.contains(words), "\(failure.message)")
                #expect(failure.message.hasPrefix("can't run Function mysql-dump: ") && !failure.isRetryable)
            }
            let mongo = try await #require(throws: JobFailure.self) { _ = try await rig.backUp(BackupSpec()) }
            #expect(mongo.code == "badSpec")
            #expect(!FileManager.default.fileExists(atPath: directory.appending("ran")))
        }
    }
}

@Suite("A restore that can't be whole is never called good")
struct CommandRestoreTests {
    private static let data = (0..<200_000).map { "line \($0 &* 2_654_435_761)\n" }.joined()

    private func withBackup(
        _ name: String,
        _ body: (CommandRig, BackupRig.Backup) async throws -> Void
    ) async throws {
        try await withTestDirectory(name) { directory in
            let rig = try await CommandRig(directory)
            try directory.write(Self.data, to: "data")
            try rig.program("dump", "cat '\(directory.appending("data"))'")
            try await body(rig, try await rig.backUp(rig.dump()))
        }
    }

    private func failure(_ rig: CommandRig, _ spec: RestoreSpec) async throws -> JobFailure {
        try await #require(throws: JobFailure.self) { _ = try await rig.restore(spec) }
    }

    @Test("a program that stops reading, or fails, is told as that, and that the database is partially restored")
    func programs() async throws {
        try await withBackup("command-load-fails") { rig, backup in
            let partial = ". 127.0.0.1:1 is partially restored: repeat the restore with --drop"
            try rig.program("load", "head -c 10 >/dev/null")
            let early = try await failure(rig, rig.load(backup.id))
            #expect(early.message.hasPrefix("load ended before it had read everything\(partial)"), "\(early.message)")
            // All of it fits into the pipe, and the program still doesn't read it.
            try rig.program("dump", "printf 0123456789")
            try rig.program("load", "head -c 1 >/dev/null")
            let small = try await rig.backUp(rig.dump())
            let unread = try await failure(rig, rig.load(small.id))
            #expect(unread.message.contains("before it had read everything"), "\(unread.message)")
            try rig.program("load", "cat >/dev/null; echo 'ERROR 1064 at line 7' >&2; exit 1")
            let late = try await failure(rig, rig.load(backup.id))
            #expect(
                late.message.hasPrefix("load ended with exit code 1: ERROR 1064 at line 7\(partial)"),
                "\(late.message)"
            )
        }
    }

    @Test("bytes that are not the backup's are noticed before the program gets the last of them")
    func damage() async throws {
        try await withBackup("command-load-damaged") { rig, backup in
            let loaded = rig.directory.appending("loaded")
            try rig.program("load", "cat > '\(loaded)'")
            let repository = try await Repository.open(
                at: DirectoryStore(path: rig.directory.appending("repository")),
                password: RepositoryPassword(trimming: BackupRig.passwordText)
            )
            try await repository.loadIndex()
            let writer = repository.makeWriter()
            var files = backup.output.files
            let record = try await repository.blob(try #require(files[1].content.first), .data)
            var manifest = try WireJSON.decode(CommandManifest.self, from: record)
            manifest.crc64 = "0000000000000000"
            let bytes = try WireJSON.encode(manifest)
            files[1].size = UInt64(bytes.count)
            files[1].content = [try await writer.store(bytes, as: .data).id]
            let tree = try await writer.storeTree(files)
            try await writer.flush()
            let id = try await writer.commit(
                Snapshot(time: .now(), tree: tree, paths: ["/mysql"], hostname: "test", username: "remora", tags: [])
            )
            let failure = try await failure(rig, rig.load("\(id)"))
            #expect(failure.code == "damagedSnapshot" && failure.message.contains("the end of it was held back"))
            let got = try rig.bytes("loaded")
            let isBeginning = Self.data.utf8.starts(with: got)
            #expect(got.count < Self.data.utf8.count && isBeginning)
        }
    }

    @Test("what a function can't do is refused before anything runs")
    func refusals() async throws {
        try await withBackup("command-load-refused") { rig, backup in
            let ran = rig.directory.appending("ran")
            try rig.program("load", "touch '\(ran)'")
            var spec = rig.load(backup.id)
            spec.conflict = .failIfNotEmpty
            let overwrite = try await failure(rig, spec)
            #expect(overwrite.code == "unsupported" && overwrite.message.contains("allow that (--drop;"))
            spec = rig.load(backup.id)
            spec.selection.include = ["shop.*"]
            #expect(try await failure(rig, spec).message.contains("takes a backup as a whole only"))
            let other = try await failure(rig, rig.load(backup.id) { $0.file = "all.sql" })
            #expect(other.message.contains("it restores the file 'all.sql', and the backup's is 'dump.sql'"))
            #expect(!FileManager.default.fileExists(atPath: ran))
            // And the other way round: MongoDB's engine takes it for no dump.
            let id = try #require(backup.output.files[1].content.first)
            let repository = try await Repository.open(
                at: DirectoryStore(path: rig.directory.appending("repository")),
                password: RepositoryPassword(trimming: BackupRig.passwordText)
            )
            try await repository.loadIndex()
            let record = try await repository.blob(id, .data)
            let foreign = #expect(throws: JobFailure.self) {
                _ = try SnapshotFacts(manifest: record, path: "remora.json")
            }
            #expect(
                foreign?.message
                    == "can't restore: the snapshot is not a mongodump directory: remora.json says that it is one of mysql"
            )
        }
    }
}
