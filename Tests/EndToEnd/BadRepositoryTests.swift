import Foundation
import TestSupport
import Testing

/// Repositories that don't open or are damaged, met by `remora repo`: each names the file and what to do.
@Suite("bad repositories", .serialized)
struct BadRepositoryTests {
    private let password = "a good password"

    private func remora(_ arguments: String..., password: String? = "a good password") async throws -> Said {
        Said(
            try await Command(
                Binaries.beside().path("remora"),
                arguments,
                environment: ["REMORA_PASSWORD": password, "NO_COLOR": "1", "REMORA_REPOSITORY": nil],
                limit: .seconds(120)
            ).output()
        )
    }

    @Test("wrong password, no repository, bad places")
    func opening() async throws {
        try await withTestDirectory("e2e-bad-repository") { directory in
            let place = directory.appending("repository")
            try await remora("repo", "init", "--repository", place).expect(0)
            try await remora("repo", "snapshots", "--repository", place, password: "a wrong one")
                .expect(8, "wrong password", place)
            try await remora("repo", "snapshots", "--repository", place, password: nil).expect(2, "--password-file")
            try await remora("repo", "snapshots", "--repository", directory.path).expect(9, "there is no repository in")
            try await remora("repo", "snapshots", "--repository", "gopher://x").expect(
                2,
                "'gopher:' is no kind of store"
            )
            try await remora("repo", "snapshots").expect(2, "give --repository")
            try await remora("repo", "init", "--repository", place).expect(7, "there is one already")
            try await remora("repo", "ls", "0badc0de", "--repository", place).expect(
                6,
                "there is no snapshot",
                "0badc0de"
            )
            let file = try directory.write("no directory", to: "file")
            try await remora("repo", "init", "--repository", "\(file)/below").expect(
                2,
                "\(file)/below",
                "choose another"
            )
            try await remora("repo", "backup", "--from", "mongodb://127.0.0.1:1", "--repository", place)
                .expect(13, "can't reach MongoDB at 127.0.0.1:1: connection refused", "check that mongod runs")
            try await remora("repo", "backup", "--from", "mongodb://no-such-host.invalid", "--repository", place)
                .expect(13, "no-such-host.invalid", "check the host name")
        }
    }

    @Test("lost and changed files are named, and no check advises what would destroy more")
    func damage() async throws {
        try await withTestDirectory("e2e-damaged-repository") { directory in
            let place = directory.appending("repository")
            let stock = Restic(repository: place, password: password)
            try await stock.run("init")
            try FileManager.default.createDirectory(
                atPath: directory.appending("data"),
                withIntermediateDirectories: false
            )
            try directory.write(String(repeating: "some text ", count: 1000), to: "data/file")
            try await stock.run("backup", "file", directory: directory.appending("data"))
            func damaged(
                _ folder: String,
                _ change: (String) throws -> Void,
                _ body: (_ copy: String, _ file: String) async throws -> Void
            ) async throws {
                let copy = directory.appending("copy-\(folder)-\(UInt32.random(in: .min ... .max))")
                try FileManager.default.copyItem(atPath: place, toPath: copy)
                let file = try #require(try Self.largest(in: "\(copy)/\(folder)"))
                try change("\(copy)/\(folder)/\(file)")
                try await body(copy, "\(folder)/\(file)")
            }
            let truncate = { (path: String) in
                let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                try Self.replace(path, bytes.prefix(100))
            }
            let flip = { (path: String) in
                var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                bytes[bytes.startIndex + 40] ^= 1
                try Self.replace(path, bytes)
            }
            let remove = { (path: String) in try FileManager.default.removeItem(atPath: path) }
            let restored = directory.appending("restored")

            try await damaged("data", truncate) { copy, file in
                try await remora("repo", "check", "--repository", copy).expect(10, file, "truncated")
            }
            try await damaged("data", remove) { copy, file in
                try await remora("repo", "check", "--repository", copy).expect(10, file, "missing")
                // Which of the two packs is the largest doesn't matter: both are needed.
                try await remora("repo", "restore", "latest", "--to-directory", restored, "--repository", copy)
                    .expect(10, file, "missing", "remora repo check --read-data")
            }
            try await damaged("index", flip) { copy, file in
                let check = try await remora("repo", "check", "--repository", copy)
                check.expect(10, file, "restic repair index", "do not prune")
                #expect(!check.text.contains("a prune removes it"), "\(check.text)")
                try await remora("repo", "restore", "latest", "--to-directory", restored, "--repository", copy)
                    .expect(10, file, "damaged")
            }
            try await damaged("index", remove) { copy, _ in
                let check = try await remora("repo", "check", "--repository", copy)
                check.expect(10, "in no index file", "do not prune")
                try await remora("repo", "restore", "latest", "--to-directory", restored, "--repository", copy)
                    .expect(10, "in no index file")
            }
            try await damaged("snapshots", flip) { copy, file in
                try await remora("repo", "snapshots", "--repository", copy).expect(10, file, "damaged")
            }
            try await damaged("keys", remove) { copy, _ in
                try await remora("repo", "snapshots", "--repository", copy).expect(9, "no key files")
            }
            try flip("\(place)/config")
            try await remora("repo", "snapshots", "--repository", place).expect(10, "\"config\"", "damaged")
        }
    }

    /// The largest file below a folder, as its path from there.
    private static func largest(in folder: String) throws -> String? {
        try FileManager.default.subpathsOfDirectory(atPath: folder)
            .map { ($0, try FileManager.default.attributesOfItem(atPath: "\(folder)/\($0)")) }
            .filter { $0.1[.type] as? FileAttributeType == .typeRegular }
            .max { ($0.1[.size] as? Int ?? 0) < ($1.1[.size] as? Int ?? 0) }?.0
    }

    /// Repositories' files are read-only: the new one takes the old one's place.
    private static func replace(_ path: String, _ bytes: Data) throws {
        try FileManager.default.removeItem(atPath: path)
        try bytes.write(to: URL(fileURLWithPath: path))
    }
}
