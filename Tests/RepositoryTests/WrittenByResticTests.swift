import Foundation
import ObjectStorage
import Repository
import TestSupport
import Testing

@Suite("We read what stock restic wrote")
struct WrittenByResticTests {
    /// A directory with everything that a backup can hold.
    private func makeSource(_ directory: TestDirectory) throws -> String {
        let source = try directory.makeDirectory("source")
        var random = SplitMix(5)
        try FileManager.default.createDirectory(atPath: "\(source)/deep/er/est", withIntermediateDirectories: true)
        let files: [String: [UInt8]] = [
            "large": random.bytes(9_000_000), "text": random.text(5_000_000), "empty": [],
            "deep/er/est/file": Array("deep".utf8), #"quo"te"#: [1], "back\\slash": [2], "<&>": [3], "\u{2028}": [4],
            "new\nline": [5], "日本": [6],
        ]
        for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: "\(source)/\(name)")) }
        for number in 0..<200 {
            try Data("small file \(number)".utf8).write(to: URL(fileURLWithPath: "\(source)/deep/\(number)"))
        }
        let invalid: [CChar] = Array("\(source)/invalid-".utf8CString.dropLast()) + [CChar(bitPattern: 0xFF), 0]
        let descriptor = open(invalid, O_CREAT | O_WRONLY, 0o640)
        #expect(descriptor >= 0)
        close(descriptor)
        try FileManager.default.createSymbolicLink(atPath: "\(source)/link", withDestinationPath: "deep/er")
        try FileManager.default.createSymbolicLink(atPath: "\(source)/dangling", withDestinationPath: "/nowhere at all")
        chmod("\(source)/text", 0o4751)
        chmod("\(source)/deep/er", 0o1770)
        var times = [timespec(tv_sec: 1_234_567_890, tv_nsec: 123_456_789), timespec(tv_sec: -5, tv_nsec: 1)]
        utimensat(AT_FDCWD, "\(source)/text", &times, 0)
        return source
    }

    /// Type, mode, time, size and content of everything below a directory.
    private func describe(_ directory: String) async throws -> String {
        try await Command(
            "/usr/bin/find",
            [
                ".", "-mindepth", "1", "-printf", "%P %y %m %T@ %l ", "-type", "f", "-exec", "sha256sum", "{}", ";",
                "-o", "-printf", "%P\n",
            ],
            directory: directory
        ).run().text.split(separator: "\n").sorted().joined(separator: "\n")
    }

    @Test("files, directories, links and odd names restore equal to the last byte", arguments: ["1", "2"])
    func files(version: String) async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let source = try makeSource(directory)
            let restic = Restic(repository: path, password: testPassword)
            try await restic.run("init", "--repository-version", version)
            try await restic.run("backup", ".", directory: source)
            let repository = try await openRepository(DirectoryStore(path: path))
            #expect(repository.version == Int(version))
            let snapshot = try #require(try await repository.snapshots().last)
            let target = directory.appending("restored")
            let report = try await repository.restore(snapshot.id, to: target)
            #expect(report.files == 211)
            #expect(report.directories == 3)
            #expect(report.links == 2)
            let described = try await describe(source)
            #expect(described.split(separator: "\n").count > 216)
            #expect(try await describe(target) == described)
            #expect(try await repository.check(readData: true).findings == [])
            await #expect(throws: RepositoryError.self) { try await repository.restore(snapshot.id, to: target) }
        }
    }

    @Test("what we add to a repository of version 1 is good there")
    func versionOne() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let restic = Restic(repository: path, password: testPassword)
            try await restic.run("init", "--repository-version", "1")
            let repository = try await openRepository(DirectoryStore(path: path))
            var random = SplitMix(6)
            let text = random.text(500_000)
            try await backUp(["text": text], to: repository)
            let lock = try await repository.addLock(exclusive: false, host: "remora/tests")
            #expect(try await repository.locks() == [lock])
            try await repository.removeLock(lock)
            try await restic.check()
            expectSame(try await restic.run("dump", "latest", "/text").bytes, text)
        }
    }

    @Test("a backup of standard input dumps equal")
    func standardInput() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let restic = Restic(repository: path, password: testPassword)
            try await restic.run("init")
            var random = SplitMix(7)
            let bytes = random.text(7_000_000) + random.bytes(7_000_000)
            try await restic.run("backup", "--stdin", "--stdin-filename", "dump.archive", input: bytes)
            let repository = try await openRepository(DirectoryStore(path: path))
            let id = try await repository.findSnapshot("latest")
            let output = directory.appending("output")
            let descriptor = open(output, O_CREAT | O_WRONLY, 0o600)
            try await repository.dump(id, path: "/dump.archive", to: descriptor)
            close(descriptor)
            expectSame(try Array(Data(contentsOf: URL(fileURLWithPath: output))), bytes)
            await #expect(throws: RepositoryError.self) {
                try await repository.dump(id, path: "nothing", to: descriptor)
            }
        }
    }

    @Test("a second password opens the same repository")
    func secondKey() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let restic = Restic(repository: path, password: testPassword)
            try await restic.run("init")
            let file = try directory.write("  another one\n", to: "password")
            try await restic.run("key", "add", "--new-password-file", file)
            let store = try DirectoryStore(path: path)
            let first = try await Repository.open(at: store, password: RepositoryPassword(trimming: testPassword))
            let second = try await Repository.open(at: store, password: RepositoryPassword(file: file))
            #expect(first.id == second.id)
            #expect(try first.documentChunkKey == second.documentChunkKey)
        }
    }
}
