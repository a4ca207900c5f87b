import Foundation
import ObjectStorage
import TestSupport
import Testing

@testable import Repository

@Suite("Damage is found and named")
struct DamageTests {
    /// A repository with several packs, and one snapshot of one file.
    private func make() async throws -> (MemoryStore, Repository, [UInt8]) {
        let store = MemoryStore()
        var random = SplitMix(10)
        let bytes = random.bytes(1_000_000) + random.text(1_000_000)
        try await backUp(["dir/file": bytes], to: try await makeRepository(store), options: smallPacks())
        return (store, try await openRepository(store), bytes)
    }

    /// Keys of the store's packs, the largest last.
    private func packs(_ store: MemoryStore) async throws -> [String] {
        try await store.list(prefix: "data/").sorted { $0.size < $1.size }.map(\.key)
    }

    private func expectFound(
        _ store: MemoryStore,
        naming file: String,
        saying words: String,
        readData: Bool = false,
        restores: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let repository = try await Repository.open(at: store, password: RepositoryPassword(trimming: testPassword))
        let report = try await repository.check(readData: readData)
        #expect(
            report.errors.contains { $0.file == file && $0.message.contains(words) && $0.message.contains(file) },
            "found only: \(report.findings)",
            sourceLocation: sourceLocation
        )
        if !restores {
            await #expect(throws: RepositoryError.self, sourceLocation: sourceLocation) {
                try await repository.loadIndex()
                let id = try await repository.findSnapshot("latest")
                _ = try await repository.reader(of: id).read("dir/file")
            }
        }
    }

    @Test("a whole repository has no findings")
    func whole() async throws {
        let (_, repository, bytes) = try await make()
        let report = try await repository.check(readData: true)
        #expect(report.findings == [])
        #expect(report.snapshots == 1)
        #expect(report.packs > 5)
        #expect(report.trees == 2)
        #expect(report.bytesRead > 1_000_000)
        let id = try await repository.findSnapshot("latest")
        expectSame(try await repository.reader(of: id).read("/dir/file"), bytes)
    }

    @Test("a truncated pack")
    func truncatedPack() async throws {
        let (store, _, _) = try await make()
        let pack = try #require(try await packs(store).last)
        let bytes = try await store.get(pack)
        try await store.put(pack, Array(bytes.dropLast(bytes.count / 2)))
        try await expectFound(store, naming: pack, saying: "truncated")
        try await expectFound(store, naming: pack, saying: "hash", readData: true)
    }

    @Test("one flipped bit in a pack's blob, header and length")
    func flippedBit() async throws {
        for place in [100, -100, -1] {
            let (store, _, _) = try await make()
            let pack = try #require(try await packs(store).last)
            var bytes = try await store.get(pack)
            bytes[place < 0 ? bytes.count + place : place] ^= 4
            try await store.put(pack, bytes)
            let repository = try await openRepository(store)
            #expect(try await repository.check(readData: false).findings == [])
            try await expectFound(store, naming: pack, saying: "hash", readData: true, restores: place < 0)
            try await expectFound(
                store,
                naming: pack,
                saying: place < 0 ? "header" : "MAC",
                readData: true,
                restores: place < 0
            )
        }
    }

    @Test("a missing pack")
    func missingPack() async throws {
        let (store, _, _) = try await make()
        let pack = try #require(try await packs(store).last)
        try await store.delete(pack)
        try await expectFound(store, naming: pack, saying: "missing")
    }

    @Test("a missing index file")
    func missingIndex() async throws {
        let (store, _, _) = try await make()
        for file in try await store.list(prefix: "index/") { try await store.delete(file.key) }
        let snapshot = try #require(try await store.list(prefix: "snapshots/").first)
        try await expectFound(store, naming: snapshot.key, saying: "in no index file")
    }

    @Test("a damaged index file, snapshot and key")
    func damagedSmallFiles() async throws {
        for (prefix, words) in [("index/", "hash"), ("snapshots/", "hash")] {
            let (store, _, _) = try await make()
            let file = try #require(try await store.list(prefix: prefix).first)
            var bytes = try await store.get(file.key)
            bytes[40] ^= 1
            try await store.put(file.key, bytes)
            try await expectFound(store, naming: file.key, saying: words)
        }
        let (store, repository, _) = try await make()
        try await store.put("keys/" + String(repeating: "ab", count: 32), [1, 2, 3])
        #expect(
            try await repository.check(readData: false).errors.map(\.file) == [
                "keys/" + String(repeating: "ab", count: 32)
            ]
        )
    }

    @Test("a pack that no index names is only a hint, and files of others are nobody's business")
    func leftovers() async throws {
        let (store, repository, _) = try await make()
        let pack = "data/ab/" + String(repeating: "ab", count: 32)
        try await store.put(pack, [1, 2, 3])
        try await store.put("data/README", [1])
        try await store.put("index/notes.txt", [1])
        try await store.put("snapshots/\(String(repeating: "ab", count: 32))-tmp-1", [1])
        let report = try await repository.check(readData: true)
        #expect(report.findings.map(\.file) == [pack])
        #expect(report.isSound)
    }

    @Test("stock restic finds what we find, and names the same pack")
    func sameAsStock() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let store = try DirectoryStore(path: path)
            var random = SplitMix(11)
            try await backUp(["file": random.bytes(500_000)], to: try await makeRepository(store))
            let pack = try #require(try await store.list(prefix: "data/").max { $0.size < $1.size })
            var bytes = try await store.get(pack.key)
            bytes[1000] ^= 1
            try await store.put(pack.key, bytes)
            let restic = Restic(repository: path, password: testPassword)
            let output = try await restic.output("check", "--read-data")
            #expect(!output.status.succeeded)
            let name = try #require(pack.key.split(separator: "/").last)
            #expect((output.text + output.errorText).contains(name.prefix(8)))
            let report = try await openRepository(store).check(readData: true)
            #expect(report.errors.contains { $0.file == pack.key })
        }
    }
}

@Suite("Opening")
struct OpeningTests {
    private func message(_ code: RepositoryError.Code, _ body: () async throws -> Void) async -> String {
        do {
            try await body()
            Issue.record("nothing was thrown")
        } catch let error as RepositoryError {
            #expect(error.code == code)
            #expect(!error.description.contains(testPassword))
            return error.message
        } catch {
            Issue.record("\(error) is not a RepositoryError")
        }
        return ""
    }

    @Test("a wrong password is one sentence")
    func wrongPassword() async throws {
        let store = MemoryStore(location: "s3:somewhere")
        _ = try await makeRepository(store)
        let text = await message(.wrongPassword) {
            _ = try await Repository.open(at: store, password: RepositoryPassword(trimming: "wrong"))
        }
        #expect(text == "wrong password for the repository in s3:somewhere: none of its keys opens with it")
    }

    @Test("an empty place is one sentence")
    func notARepository() async throws {
        let store = MemoryStore(location: "s3:somewhere")
        let text = await message(.notARepository) { _ = try await openRepository(store) }
        #expect(
            text
                == "there is no repository in s3:somewhere: it has no file \"config\"; check the location or initialize it"
        )
    }

    @Test("a version that nobody knows yet is one sentence, and nothing is written", arguments: [0, 3])
    func unknownVersion(_ version: Int) async throws {
        let store = MemoryStore(location: "s3:somewhere")
        let repository = try await makeRepository(store)
        let config = try CryptoContext(repository.key, level: 1)
        var configuration = try Configuration.random()
        configuration.version = version
        try await store.delete("config")
        try await store.put("config", try configuration.json.withUnsafeBytes { try config.seal($0) })
        let before = try await store.list(prefix: "").map(\.key)
        let text = await message(.unsupportedVersion) { _ = try await openRepository(store) }
        #expect(
            text
                == "the repository in s3:somewhere has version \(version), and this program knows 1 and 2: use a newer one"
        )
        #expect(try await store.list(prefix: "").map(\.key) == before)
    }

    @Test("a place with a repository, or half of one, is not initialized again")
    func twice() async throws {
        let store = MemoryStore()
        _ = try await makeRepository(store)
        _ = await message(.alreadyInitialized) { _ = try await makeRepository(store) }
        try await store.delete("config")
        _ = await message(.alreadyInitialized) { _ = try await makeRepository(store) }
    }

    @Test("of many that initialize at once, one succeeds, and its key is the only one")
    func race() async throws {
        let store = MemoryStore()
        let made = await withTaskGroup(of: Bool.self) { group in
            // A refusal is what the others are to get.
            for _ in 0..<8 { group.addTask { (try? await makeRepository(store)) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(made == 1)
        #expect(try await store.list(prefix: "keys/").count == 1)
        _ = try await openRepository(store)
    }

    @Test("white space around a password makes no difference, and an empty one is refused")
    func trimming() async throws {
        let store = MemoryStore()
        _ = try await makeRepository(store)
        _ = try await Repository.open(at: store, password: RepositoryPassword(trimming: " \t\(testPassword)\r\n\n"))
        #expect(throws: RepositoryError.self) { try RepositoryPassword(trimming: " \n") }
        #expect(throws: RepositoryError.self) { try RepositoryPassword(file: "/nonexistent/file") }
        let password = try RepositoryPassword(trimming: testPassword)
        var dumped = ""
        dump(password, to: &dumped)
        #expect(!("\(password)" + String(reflecting: password) + dumped).contains("horse"))
    }

    @Test("the storage's own failure is told as such, not as a missing repository")
    func storage() async throws {
        struct Refused: Error {}
        let store = WatchedStore(beforeGet: { _ in throw Refused() })
        _ = await message(.storage) { _ = try await openRepository(store) }
    }
}
