import Foundation
import ObjectStorage
import Testing

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
