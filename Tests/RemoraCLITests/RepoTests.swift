import BackupModel
import Foundation
import TestSupport
import Testing

@testable import RemoraCLI

@Suite("remora repo on what stock restic wrote", .timeLimit(.minutes(5)))
struct RepoTests {
    private static let password = "correct horse"

    /// A repository that stock restic made of two files, and our command in front of it.
    private struct Stage {
        let directory: TestDirectory
        let restic: Restic
        let environment: [String: String]
        let large: [UInt8]

        init(_ directory: TestDirectory) async throws {
            self.directory = directory
            let place = directory.appending("repository")
            restic = Restic(repository: place, password: RepoTests.password)
            environment = ["REMORA_REPOSITORY": place, "REMORA_PASSWORD": RepoTests.password, "HOME": directory.path]
            // What doesn't compress.
            let random = try #require(FileHandle(forReadingAtPath: "/dev/urandom"))
            large = [UInt8](try #require(try random.read(upToCount: 3_000_000)))
            _ = try directory.makeDirectory("source/sub")
            try Data(large).write(to: URL(fileURLWithPath: directory.appending("source/large.bin")))
            try directory.write("hello\n", to: "source/sub/small.txt")
            try await restic.run("init", "--repository-version", "2")
            try await restic.run(
                "backup",
                "--host",
                "stock",
                "--tag",
                "mine",
                ".",
                directory: directory.appending("source")
            )
        }

        func remora(_ arguments: String..., environment more: [String: String] = [:]) async -> (Screen, Ending) {
            let screen = Screen()
            let ended = await screen.run(["repo"] + arguments, environment: environment.merging(more) { $1 })
            return (screen, ended)
        }

        func locks() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: directory.appending("repository/locks"))
        }
    }

    private func withStage(_ body: (Stage) async throws -> Void) async throws {
        try await withTestDirectory("cli-repo") { try await body(try await Stage($0)) }
    }

    @Test("snapshots, ls, check, dump and restore read it, and leave no lock")
    func reading() async throws {
        try await withStage { stage in
            let (snapshots, listed) = await stage.remora("snapshots", "-o", "json")
            #expect(listed == .succeeded, "\(snapshots.error)")
            let all = try WireJSON.decode([RepoSnapshotsCommand.Answer].self, from: Array(snapshots.output.utf8))
            #expect(all.map(\.hostname) == ["stock"] && all[0].tags == ["mine"])

            let (files, _) = await stage.remora("ls", "latest", "-o", "json")
            let entries = try WireJSON.decode([RepoLsCommand.Answer].self, from: Array(files.output.utf8))
            #expect(entries.filter { $0.type == "file" }.map(\.size).sorted() == [6, 3_000_000])
            let (below, _) = await stage.remora("ls", String(all[0].id.prefix(6)), "/sub/")
            #expect(below.output.contains("sub/small.txt") && !below.output.contains("large"))

            let (check, sound) = await stage.remora("check", "--read-data", "-o", "json")
            #expect(sound == .succeeded)
            let report = try WireJSON.decode(RepoCheckCommand.Answer.self, from: Array(check.output.utf8))
            #expect(report.isSound && report.snapshots == 1 && report.bytesRead > 3_000_000)

            let target = stage.directory.appending("restored")
            let (restored, ended) = await stage.remora("restore", "latest", "--to-directory", target)
            #expect(ended == .succeeded, "\(restored.error)")
            #expect(FileManager.default.contents(atPath: "\(target)/large.bin") == Data(stage.large))
            #expect(FileManager.default.contents(atPath: "\(target)/sub/small.txt") == Data("hello\n".utf8))
            let (again, refused) = await stage.remora("restore", "latest", "--to-directory", target)
            #expect(refused == .refused && again.error.contains("not empty"))
            #expect(try stage.locks().isEmpty)
        }
    }

    @Test("dump writes a file's bytes to standard output, and a reader that leaves early leaves no lock")
    func dump() async throws {
        try await withStage { stage in
            let program = try Program.path()
            let environment = stage.environment.mapValues { Optional($0) }
            let whole = try await Command(
                program,
                ["repo", "dump", "latest", "large.bin"],
                environment: environment
            ).run()
            #expect(whole.bytes == stage.large)
            let cut = try await Command(
                "/bin/bash",
                ["-c", "\"$0\" repo dump latest large.bin | head -c 5 >/dev/null; exit ${PIPESTATUS[0]}", program],
                environment: environment
            ).output()
            #expect(cut.status.description.contains("141"), "\(cut.status) \(cut.errorText)")
            #expect(try stage.locks().isEmpty)
        }
    }

    @Test("a wrong password, a place without a repository and a missing snapshot have their own codes and one sentence")
    func refusals() async throws {
        try await withStage { stage in
            let (wrong, wrongEnd) = await stage.remora("snapshots", environment: ["REMORA_PASSWORD": "guess"])
            #expect(wrongEnd == .wrongPassword && !wrong.error.contains("guess"))
            let (_, nowhere) = await stage.remora("check", "--repository", stage.directory.appending("nowhere"))
            #expect(nowhere == .notARepository)
            let (missing, missingEnd) = await stage.remora("ls", "ffffffff")
            #expect(missingEnd == .notFound && missing.error.split(separator: "\n").count == 1)
            let (path, pathEnd) = await stage.remora("dump", "latest", "nope")
            #expect(pathEnd == .notFound, "\(path.error)")
            let (_, again) = await stage.remora("init")
            #expect(again == .refused)
        }
    }

    @Test("the password comes from a file or from restic's variables too")
    func passwords() async throws {
        try await withStage { stage in
            let file = try stage.directory.write("\(Self.password)\n", to: "password")
            let (_, byFile) = await stage.remora(
                "snapshots",
                "--password-file",
                file,
                environment: ["REMORA_PASSWORD": "x"]
            )
            #expect(byFile == .succeeded)
            let (_, byRestic) = await stage.remora(
                "snapshots",
                environment: ["REMORA_PASSWORD": "", "RESTIC_PASSWORD": Self.password]
            )
            #expect(byRestic == .succeeded)
            let (none, noneEnd) = await stage.remora("snapshots", environment: ["REMORA_PASSWORD": ""])
            #expect(noneEnd == .usage && none.error.contains("--password-file"))
        }
    }

    @Test("a damaged pack is found, named, and ends the check with its own code")
    func damage() async throws {
        try await withStage { stage in
            let data = stage.directory.appending("repository/data")
            let packs = try FileManager.default.subpathsOfDirectory(atPath: data)
                .map { "\(data)/\($0)" }.filter { $0.hasSuffix(($0 as NSString).lastPathComponent) }
                .filter { ((try? FileManager.default.attributesOfItem(atPath: $0))?[.size] as? Int ?? 0) > 1_000_000 }
            let pack = try #require(packs.first { !$0.isEmpty && ($0 as NSString).lastPathComponent.count == 64 })
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: pack)
            let file = try #require(FileHandle(forUpdatingAtPath: pack))
            try file.seek(toOffset: 1000)
            try file.write(contentsOf: Data([0, 1, 2, 3]))
            try file.close()
            let (screen, ended) = await stage.remora("check", "--read-data")
            #expect(ended == .damaged)
            #expect(screen.output.contains((pack as NSString).lastPathComponent.prefix(8)))
            #expect(try stage.locks().isEmpty)
        }
    }

    @Test("init makes what stock restic opens")
    func initialization() async throws {
        try await withStage { stage in
            let place = stage.directory.appending("new")
            let (screen, ended) = await stage.remora("init", "--repository", place)
            #expect(ended == .succeeded, "\(screen.error)")
            try await Restic(repository: place, password: Self.password).check()
        }
    }

    @Test("an exclusive lock stops reading, except with --no-lock")
    func exclusiveLock() async throws {
        try await withStage { stage in
            // Stock prune takes an exclusive lock; a copy of the lock file's name can't be forged, so ours is used.
            let lock = try await ForeignLock.take(in: stage.directory.appending("repository"), Self.password)
            let target = stage.directory.appending("out")
            let (screen, ended) = await stage.remora("restore", "latest", "--to-directory", target)
            #expect(ended == .locked && screen.error.contains("hint"))
            let (_, without) = await stage.remora("restore", "latest", "--to-directory", target, "--no-lock")
            #expect(without == .succeeded)
            try await lock.release()
            #expect(try stage.locks().isEmpty)
        }
    }

    @Test("a bucket is opened by the environment's credentials, and a refusal of them has its own code")
    func s3() async throws {
        try await withTestDirectory("cli-s3") { directory in
            let storage = try await SeaweedFS.start(in: directory)
            try await storage.makeBucket("backups")
            let place = "s3:\(storage.endpoint)/backups/cli"
            var environment = storage.environment
            environment["REMORA_REPOSITORY"] = place
            environment["REMORA_PASSWORD"] = Self.password
            let made = Screen()
            #expect(await made.run(["repo", "init"], environment: environment) == .succeeded, "\(made.error)")
            let restic = Restic(repository: place, password: Self.password, environment: storage.environment)
            try await restic.run("backup", "--stdin", "--stdin-filename", "note.json", input: Array("{}".utf8))
            let listed = Screen()
            #expect(await listed.run(["repo", "ls", "latest"], environment: environment) == .succeeded)
            #expect(listed.output.contains("note.json"))
            let checked = Screen()
            #expect(await checked.run(["repo", "check", "--read-data"], environment: environment) == .succeeded)

            // With credentials that may only read, a restore goes on without a lock, and says so.
            environment["AWS_ACCESS_KEY_ID"] = SeaweedFS.readOnlyAccessKeyID
            environment["AWS_SECRET_ACCESS_KEY"] = SeaweedFS.readOnlySecretAccessKey
            let restored = Screen()
            let target = directory.appending("restored")
            let arguments = ["repo", "restore", "latest", "--to-directory", target]
            #expect(await restored.run(arguments, environment: environment) == .succeeded, "\(restored.error)")
            #expect(restored.error.contains("reading without a lock"))
            #expect(FileManager.default.contents(atPath: "\(target)/note.json") == Data("{}".utf8))

            environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
            let refused = Screen()
            #expect(await refused.run(["repo", "snapshots"], environment: environment) == .storage)
            #expect(refused.error.split(separator: "\n").count == 1, "\(refused.error)")
            await storage.kill()
        }
    }
}
