import Foundation
import ObjectStorage
import Repository
import TestSupport
import Testing

@Suite("Stock restic accepts what we write")
struct WrittenByUsTests {
    @Test("a snapshot of several files passes check, snapshots, ls, dump and restore")
    func snapshot() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let repository = try await makeRepository(DirectoryStore(path: path))
            var random = SplitMix(1)
            let files = [
                "shop/noise.bin": random.bytes(3_000_000), "shop/orders.bson": random.text(2_000_000),
                "one": [7], "empty": [],
            ]
            let id = try await backUp(files, to: repository, options: smallPacks(500_000))
            let restic = Restic(repository: path, password: testPassword)
            try await restic.check()
            #expect(try await restic.run("snapshots").text.contains(id.short))
            let listing = try await restic.run("ls", "latest").text
            for (name, bytes) in files {
                expectSame(try await restic.run("dump", "latest", "/\(name)").bytes, bytes)
                #expect(listing.contains("/\(name)"))
            }
            let target = directory.appending("restored")
            try await restic.run("restore", "latest", "--target", target, "--verify")
            for (name, bytes) in files {
                expectSame(try Array(Data(contentsOf: URL(fileURLWithPath: "\(target)/\(name)"))), bytes)
            }
        }
    }

    @Test("names with quotes, backslashes, markup and other scripts survive")
    func names() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let repository = try await makeRepository(DirectoryStore(path: path))
            let names = [
                #"quo"te"#, #"back\slash"#, "<&>", "line\nbreak", "tab\t", "\u{7}bell", "ünïcödé", "日本", "🐟",
                "\u{2028}",
                "\u{200B}zero", "\u{E000}private", "\u{A0}nbsp", "trailing ", "\u{7F}", "%2F", "a\u{301}",
            ]
            try await backUp(
                Dictionary(uniqueKeysWithValues: names.map { ("dir/\($0)", Array($0.utf8)) }),
                to: repository
            )
            let restic = Restic(repository: path, password: testPassword)
            try await restic.check()
            let target = directory.appending("restored")
            try await restic.run("restore", "latest", "--target", target)
            let restored = try FileManager.default.contentsOfDirectory(atPath: "\(target)/dir")
            #expect(Set(restored.map { Array($0.utf8) }) == Set(names.map { Array($0.utf8) }))
        }
    }

    @Test("forget and prune repack our packs, and what is left is whole")
    func prune() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let store = try DirectoryStore(path: path)
            let repository = try await makeRepository(store)
            var random = SplitMix(2)
            let kept = random.bytes(900_000)
            try await backUp(["gone": random.bytes(800_000), "kept": kept], to: repository, chunk: 50_000)
            try await backUp(["kept": kept, "more": random.text(300_000)], to: repository, chunk: 50_000)
            let restic = Restic(repository: path, password: testPassword)
            try await restic.run("forget", "--keep-last", "1")
            try await restic.run("prune", "--max-unused", "0")
            try await restic.check()
            expectSame(try await restic.run("dump", "latest", "/kept").bytes, kept)

            // The index that we have in memory is about packs that are gone now: loading it again notices.
            try await repository.loadIndex()
            let latest = try #require(try await repository.snapshots().last)
            expectSame(try await repository.reader(of: latest.id).read("kept"), kept)
            #expect(try await repository.check(readData: true).findings == [])
        }
    }

    @Test("stock backup, copy, tag and rebuilt index work on our repository")
    func otherCommands() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let repository = try await makeRepository(DirectoryStore(path: path))
            var random = SplitMix(3)
            let bytes = random.bytes(700_000)
            try await backUp(["file": bytes], to: repository, chunk: 90_000, options: smallPacks())
            let restic = Restic(repository: path, password: testPassword)
            try await restic.run("backup", "--stdin", "--stdin-filename", "piped", input: random.text(400_000))
            try await restic.run("tag", "--add", "kept")
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(path)/index") {
                try FileManager.default.removeItem(atPath: "\(path)/index/\(name)")
            }
            try await restic.run("rebuild-index")
            try await restic.check()

            let copy = directory.appending("copy")
            let other = Restic(
                repository: copy,
                password: "other",
                environment: ["RESTIC_FROM_REPOSITORY": path, "RESTIC_FROM_PASSWORD": testPassword]
            )
            try await other.run("init", "--copy-chunker-params")
            try await other.run("copy")
            try await other.check()
            expectSame(try await other.run("dump", "--path", "/backup", "latest", "/file").bytes, bytes)
            let tags = try await openRepository(DirectoryStore(path: path)).snapshots().map(\.snapshot.tags)
            #expect(tags == [["kept"], ["kept"]])
        }
    }

    @Test("a large blob, one byte, and a stream cut by content")
    func sizes() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let repository = try await makeRepository(DirectoryStore(path: path))
            var random = SplitMix(4)
            let large = random.bytes(40 << 20)
            let stream = random.text(12_345_679)
            let writer = repository.makeWriter()
            let parts = AsyncStream { continuation in
                for begin in stride(from: 0, to: stream.count, by: 77_777) {
                    continuation.yield(Array(stream[begin..<min(begin + 77_777, stream.count)]))
                }
                continuation.finish()
            }
            let piped = try await writer.storeStream(parts, path: "piped")
            #expect(piped.size == UInt64(stream.count))
            #expect(piped.content.count > 4)
            let blob = try await writer.store(large, as: .data)
            let tree = try await writer.storeTree([
                piped, SnapshotFile(path: "large", size: UInt64(large.count), content: [blob.id]),
            ])
            try await writer.flush()
            _ = try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/x"], hostname: "tests"))
            let restic = Restic(repository: path, password: testPassword)
            try await restic.check()
            expectSame(try await restic.run("dump", "latest", "/large").bytes, large)
            expectSame(try await restic.run("dump", "latest", "/piped").bytes, stream)
        }
    }

    @Test("names are spelled in trees byte for byte as stock restic spells them")
    func spelling() async throws {
        try await withTestDirectory("repository") { directory in
            let path = directory.appending("repo")
            let store = try DirectoryStore(path: path)
            let restic = Restic(repository: path, password: testPassword)
            try await restic.run("init")
            let source = try directory.makeDirectory("source")
            for name in ["plain", #"quo"te"#, "<&>", "\u{2028}", "ünïcödé", "new\nline", "back\\slash", "\u{200B}"] {
                try Data("content of \(name)".utf8).write(to: URL(fileURLWithPath: "\(source)/\(name)"))
            }
            try await restic.run("backup", ".", directory: source)
            let repository = try await openRepository(store)
            let snapshot = try #require(try await repository.snapshots().last)
            try await repository.expectTreesRoundTrip(snapshot.snapshot.tree)
        }
    }
}
