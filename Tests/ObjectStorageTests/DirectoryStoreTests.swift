import Foundation
import Testing

@testable import ObjectStorage

/// What only the directory back end promises.
@Suite("the directory store")
struct DirectoryStoreTests {
    @Test("creates nothing until the first put")
    func lazy() async throws {
        try await withTemporaryDirectory { path in
            let store = try DirectoryStore(path: path + "/repository")
            let listed = try await store.list(prefix: "")
            #expect(listed.isEmpty)
            try await store.delete("config")
            #expect(!FileManager.default.fileExists(atPath: path + "/repository"))
            try await store.put("config", [1])
            #expect(FileManager.default.fileExists(atPath: path + "/repository/config"))
        }
    }

    @Test("keeps files from other users' eyes")
    func modes() async throws {
        try await withTemporaryDirectory { path in
            try await DirectoryStore(path: path + "/repository").put("data/ab/cd", [1])
            func mode(_ name: String) throws -> Int? {
                try FileManager.default.attributesOfItem(atPath: path + name)[.posixPermissions] as? Int
            }
            #expect(try mode("/repository") == 0o700)
            #expect(try mode("/repository/data/ab") == 0o700)
            #expect(try mode("/repository/data/ab/cd") == 0o600)
        }
    }

    @Test(
        "large objects, which go past the page cache, are whole whatever their length",
        arguments: Volume.isMountable ? [false, true] : [false]
    )
    func largeObjects(inMemory: Bool) async throws {
        func check(_ path: String) async throws {
            let store = try DirectoryStore(path: path + "/repository")
            let least = FileWriter.leastBypassing
            for count in [least - 1, least, least + 1, least + 4095, least + 4096, 3 * least + 4097] {
                let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 16) }
                try await store.put("large", bytes)
                #expect(try await store.get("large", range: nil) == bytes)
            }
        }
        if inMemory {
            try await Volume.withMemory(bytes: 16 << 20, check)
        } else {
            try await withTemporaryDirectory(check)
        }
    }

    @Test("leaves no unfinished file behind, whether a put succeeds or is refused")
    func noLeftovers() async throws {
        try await withTemporaryDirectory { path in
            let store = try DirectoryStore(path: path)
            try await store.put("d/a", [1])
            try await store.put("d/a", [2])
            try await store.put("d/b", [2], options: PutOptions(ifAbsent: true))
            // Refused, as another test proves.
            _ = try? await store.put("d/b", [3], options: PutOptions(ifAbsent: true))
            #expect(Set(try FileManager.default.contentsOfDirectory(atPath: path + "/d")) == ["a", "b"])
        }
    }

    @Test("hides a dead writer's unfinished file, and removes it once it is old and nobody holds it")
    func sweepsLeftovers() async throws {
        try await withTemporaryDirectory { path in
            let files = FileManager.default
            try files.createDirectory(atPath: path + "/data", withIntermediateDirectories: true)
            let old = Date(timeIntervalSinceNow: -7200)
            for (name, date) in [("dead", old), ("young", Date()), ("held", old)] {
                #expect(
                    files.createFile(
                        atPath: path + "/data/.remora-tmp-" + name,
                        contents: Data("half".utf8),
                        attributes: [.modificationDate: date]
                    )
                )
            }
            let held = open(path + "/data/.remora-tmp-held", O_WRONLY)
            defer { close(held) }
            try #require(flock(held, LOCK_EX | LOCK_NB) == 0)

            let store = try DirectoryStore(path: path)
            let before = try await store.list(prefix: "")
            #expect(before.isEmpty)
            try await store.put("data/new", [1])
            #expect(
                Set(try files.contentsOfDirectory(atPath: path + "/data"))
                    == ["new", ".remora-tmp-young", ".remora-tmp-held"]
            )
            #expect(try await store.list(prefix: "data/").map(\.key) == ["data/new"])
        }
    }

    @Test("lists past a volume's lost+found and past links that lead nowhere, and follows those that lead on")
    func foreignEntries() async throws {
        try await withTemporaryDirectory { path in
            let files = FileManager.default
            try files.createDirectory(atPath: path + "/lost+found", withIntermediateDirectories: true)
            #expect(files.createFile(atPath: path + "/lost+found/x", contents: nil))
            try files.createSymbolicLink(atPath: path + "/broken", withDestinationPath: path + "/nowhere")
            try files.createDirectory(atPath: path + "/other-disk", withIntermediateDirectories: true)
            try files.createSymbolicLink(atPath: path + "/data", withDestinationPath: path + "/other-disk")
            let store = try DirectoryStore(path: path)
            try await store.put("data/pack", [1, 2, 3])
            #expect(try await store.list(prefix: "data/") == [ObjectInfo(key: "data/pack", size: 3)])
            #expect(try await store.list(prefix: "").map(\.key).sorted() == ["data/pack", "other-disk/pack"])
        }
    }

    @Test(
        "says that a volume is full, leaves nothing behind, and goes on when there is room",
        .enabled(if: Volume.isMountable)
    )
    func fullVolume() async throws {
        try await Volume.withMemory(bytes: 4 << 20) { path in
            let store = try DirectoryStore(path: path + "/repository")
            try await store.put("data/first", pseudoRandomBytes(2 << 20))
            for options in [PutOptions(), PutOptions(ifAbsent: true)] {
                let error = await #expect(throws: ObjectStorageError.self) {
                    try await store.put("data/second", pseudoRandomBytes(3 << 20), options: options)
                }
                #expect(error?.code == .noSpace)
                #expect(error?.isTransient == false)
                #expect(error?.message.contains("cannot write object 'data/second' in \(path)") == true)
                #expect(error?.message.contains("free space there") == true)
            }
            // Neither replaced nor torn.
            let error = await #expect(throws: ObjectStorageError.self) {
                try await store.put("data/first", pseudoRandomBytes(3 << 20, seed: 2))
            }
            #expect(error?.code == .noSpace)
            #expect(try await store.get("data/first") == pseudoRandomBytes(2 << 20))
            #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/repository/data") == ["first"])
            try await store.delete("data/first")
            try await store.put("data/second", pseudoRandomBytes(3 << 20), options: PutOptions(ifAbsent: true))
            #expect(try await store.get("data/second") == pseudoRandomBytes(3 << 20))
        }
    }

    @Test("decides who is first on a volume without hard links", .enabled(if: Volume.isExFATMountable))
    func withoutLinks() async throws {
        try await Volume.withExFAT { path in
            let (probe, second) = (path + "/probe", path + "/second")
            #expect(FileManager.default.createFile(atPath: probe, contents: nil))
            // Else this proves nothing.
            #expect(link(probe, second) != 0)
            try FileManager.default.removeItem(atPath: probe)
            let winners = try await withThrowingTaskGroup(of: UInt8?.self) { group in
                for writer in 0..<UInt8(16) {
                    group.addTask {
                        let store = try DirectoryStore(path: path + "/repository")
                        do {
                            try await store.put("d/manifest", [writer], options: PutOptions(ifAbsent: true))
                            return writer
                        } catch let error as ObjectStorageError where error.code == .alreadyExists {
                            return nil
                        }
                    }
                }
                return try await group.reduce(into: [UInt8]()) { if let writer = $1 { $0.append(writer) } }
            }
            #expect(winners.count == 1)
            #expect(try await DirectoryStore(path: path + "/repository").get("d/manifest") == winners)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/repository/d") == ["manifest"])
        }
    }

    @Test("a dead writer's lock holds nobody up")
    func lockOfTheDead() async throws {
        try await withTemporaryDirectory { path in
            let store = try DirectoryStore(path: path, claims: [.lock])
            #expect(FileManager.default.createFile(atPath: path + "/.remora-tmp-claim", contents: nil))
            try await store.put("a", [1], options: PutOptions(ifAbsent: true))
            #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["a"])
        }
    }

    @Test("says who may not write where")
    func accessDenied() async throws {
        let store = try DirectoryStore(path: "/sys/remora")
        let error = await #expect(throws: ObjectStorageError.self) { try await store.put("config", [1]) }
        #expect(error?.code == .accessDenied)
        #expect(error?.isTransient == false)
        #expect(error?.message.contains("cannot write object 'config' in /sys/remora") == true)
        #expect(error?.message.contains("give user") == true)
    }

    @Test("says that a file is in the way of a directory")
    func fileInTheWay() async throws {
        try await withTemporaryDirectory { path in
            #expect(FileManager.default.createFile(atPath: path + "/file", contents: Data("x".utf8)))
            let store = try DirectoryStore(path: path + "/file")
            let error = await #expect(throws: ObjectStorageError.self) { try await store.put("config", [1]) }
            #expect(error?.code == .invalidConfiguration)
            let base = try DirectoryStore(path: path)
            let other = await #expect(throws: ObjectStorageError.self) { try await base.put("file/below", [1]) }
            #expect(other?.code == .invalidConfiguration)
        }
    }

    @Test("refuses a path that no directory can have", arguments: ["", "nul\0byte"])
    func badPath(_ path: String) {
        let error = #expect(throws: ObjectStorageError.self) { _ = try DirectoryStore(path: path) }
        #expect(error?.code == .invalidConfiguration)
    }
}
