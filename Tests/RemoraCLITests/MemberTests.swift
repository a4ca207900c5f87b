import BackupModel
import Foundation
import Glibc
import TestSupport
import Testing

@testable import RemoraCLI

@Suite("remora repo on a replica set, with nothing else alive", .serialized, .timeLimit(.minutes(10)))
struct MemberTests {
    /// A set with log-ins and data, and our program in front of a repository.
    private struct Stage {
        static let documents = 64
        let directory: TestDirectory
        let set: ReplicaSet
        let restic: Restic
        let environment: [String: String?]
        let login: [String]

        init(_ directory: TestDirectory) async throws {
            self.directory = directory
            set = try await ReplicaSet.start(in: directory)
            let client = try set.client()
            var state: UInt64 = 7
            for part in 0..<8 {
                let documents = (0..<8).map { number in
                    TestDocument { document in
                        document.int64("_id", Int64(part * 8 + number))
                        var bytes: [UInt8] = []
                        bytes.reserveCapacity(1 << 20)
                        while bytes.count < 1 << 20 {
                            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                            withUnsafeBytes(of: state ^ (state >> 29)) { bytes.append(contentsOf: $0) }
                        }
                        document.binary("data", bytes)
                    }
                }
                try await client.insert(documents, into: "orders", of: "shop")
            }
            try await client.command(
                #"{"createIndexes": "orders", "indexes": [{"key": {"x": 1}, "name": "x_1"}]}"#,
                on: "shop"
            )
            try await set.waitUntilInSync()
            let place = directory.appending("repository")
            restic = Restic(repository: place, password: "pw")
            environment = [
                "REMORA_REPOSITORY": place, "REMORA_PASSWORD": "pw", "HOME": directory.path, "NO_COLOR": "1",
            ]
            login = [
                "--database-username-file", try directory.write("\(MongoUser.remora.name)\n", to: "user"),
                "--database-password-file", try directory.write("\(MongoUser.remora.password)\n", to: "password"),
            ]
        }

        /// Runs `remora repo` with the log-in of the database, where there is one.
        func remora(_ arguments: String..., isOnDatabase: Bool = true) async throws -> Command.Output {
            let all = ["repo"] + arguments + (isOnDatabase ? login : [])
            return try await Command(Program.path(), all, environment: environment).output()
        }

        func locks() -> [String] {
            // Before the repository is made there is no such directory, and so no lock.
            (try? FileManager.default.contentsOfDirectory(atPath: directory.appending("repository/locks"))) ?? []
        }
    }

    @Test("a member is backed up under its lock and restored through another; signals leave no lock of any kind")
    func story() async throws {
        try await withTestDirectory("cli-member") { directory in
            let stage = try await Stage(directory)
            let secondary = try #require(try await stage.set.secondaries().first)
            let uri = "mongodb://\(secondary.address)/?authSource=admin"

            // Stopped while the member is locked.
            let log = directory.appending("interrupted.log")
            let interrupted = Server(
                "remora repo backup",
                program: try Program.path(),
                arguments: ["repo", "backup", "--from", uri, "--consistency", "lock"] + stage.login,
                environment: stage.environment,
                logPath: log
            )
            try await interrupted.launch()
            try await eventually("the member is locked", every: .milliseconds(5)) {
                guard interrupted.isRunning else { throw FatalWaitError("it ended: \(interrupted.logTail())") }
                return try await secondary.isLocked()
            }
            #expect(stage.locks().count == 1)
            interrupted.process?.send(signal: SIGINT)
            let ended = try #require(await interrupted.process?.wait(atMost: .seconds(30)))
            #expect(ended == .code(3), "\(interrupted.logTail())")
            #expect(try await !secondary.isLocked(), "the member is unlocked again")
            #expect(stage.locks().isEmpty, "no lock is left in the repository")
            try await stage.restic.check()

            // The next one works, and its snapshot is whole.
            let backup = try await stage.remora("backup", "--from", uri, "--consistency", "lock", "-o", "json")
            try #require(backup.status.succeeded, "\(backup.errorText)")
            let result = try WireJSON.decode(BackupResult.self, from: backup.bytes)
            #expect(result.guarantee == .groupCut && result.consistency == .lock && result.host == secondary.address)
            #expect(try await !secondary.isLocked())
            #expect(stage.locks().isEmpty)
            try await stage.restic.check()
            let snapshots = try await stage.remora("snapshots", "-o", "json", isOnDatabase: false)
            let listed = try WireJSON.decode([RepoSnapshotsCommand.Answer].self, from: snapshots.bytes)
            #expect(listed.map(\.id) == [result.snapshotID].compactMap(\.self))
            #expect(listed[0].tags == ["remora", "manual"] && listed[0].hostname == "rs0")

            // A target that holds something is refused; dropped first, it is what it was.
            let refused = try await stage.remora("restore", "latest", "--to", uri)
            #expect(refused.status == .code(7) && refused.errorText.contains("--drop"), "\(refused.errorText)")
            let before = try await ClusterFingerprint.read(stage.set.client())
            let restored = try await stage.remora("restore", "latest", "--to", uri, "--drop", "-o", "json")
            try #require(restored.status.succeeded, "\(restored.errorText)")
            #expect(try WireJSON.decode(RestoreResult.self, from: restored.bytes).documents >= Stage.documents)
            try await stage.set.waitUntilInSync()
            let differences = try await ClusterFingerprint.read(stage.set.client()).differences(from: before)
            #expect(differences.isEmpty, "\(differences)")
            #expect(stage.locks().isEmpty)

            // As a directory it is a dump.
            let dump = directory.appending("dump")
            let written = try await stage.remora("restore", "latest", "--to-directory", dump)
            try #require(written.status.succeeded, "\(written.errorText)")
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(dump)/shop/orders.bson")
            #expect((attributes[.size] as? Int ?? 0) > Stage.documents << 20)

            // A database that refuses the log-in has a code of its own, and leaves no lock.
            let stranger = try await Command(
                Program.path(),
                ["repo", "backup", "--from", uri],
                environment: stage.environment.merging(
                    ["REMORA_MONGODB_USERNAME": "nobody", "REMORA_MONGODB_PASSWORD": "guess"]
                ) { $1 }
            ).output()
            #expect(stranger.status == .code(13), "\(stranger.errorText)")
            #expect(!stranger.errorText.contains("guess"))
            #expect(stage.locks().isEmpty)
        }
    }
}
