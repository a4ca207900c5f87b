import BackupModel
import Testing

@testable import Engines

@Suite("Restore: a dump directory's files")
struct DumpDirectoryTests {
    @Test(
        "file names are read back as mongodump writes them",
        arguments: [
            ("orders", "orders"), ("a%2Fb", "a/b"), ("a+b", "a b"), ("100%25", "100%"), ("x%2Ay", "x*y"),
            ("caf%C3%A9", "café"), ("a%2bb", "a+b"),
        ]
    )
    func unescaping(stem: String, name: String) {
        #expect(DumpFileName.unescape(stem) == name)
    }

    @Test("a broken escape is told, not guessed", arguments: ["a%2", "a%", "%zz", "%C3"])
    func brokenEscapes(stem: String) {
        #expect(DumpFileName.unescape(stem) == nil)
    }

    @Test("a directory with a manifest is read from its top")
    func ownLayout() throws {
        let dump = try DumpDirectory(paths: [
            "remora.json", "prelude.json", "oplog.bson", "shop/oplog.bson", "shop/oplog.metadata.json",
            "shop/a%2Fb.metadata.json", "shop/a%2Fb.bson", "shop/view.metadata.json",
        ])
        #expect(dump.root.isEmpty)
        #expect(dump.manifestPath == "remora.json")
        #expect(dump.oplogPath == "oplog.bson")
        #expect(dump.entries.map(\.stem) == ["a%2Fb", "oplog", "view"])
        #expect(dump.entries[2].dataPath == nil)
    }

    @Test("a directory that stock restic stored by its absolute path is found")
    func resticLayout() throws {
        let dump = try DumpDirectory(paths: [
            "/var/tmp/dump/prelude.json", "/var/tmp/dump/oplog.bson", "/var/tmp/dump/shop/orders.bson",
            "/var/tmp/dump/shop/orders.metadata.json", "/var/tmp/dump/crm/prelude.json",
        ])
        #expect(dump.root == "var/tmp/dump/")
        #expect(dump.preludePath == "/var/tmp/dump/prelude.json")
        #expect(dump.oplogPath == "/var/tmp/dump/oplog.bson")
        #expect(dump.entries.count == 1)
        #expect(dump.entries[0].dataPath == "/var/tmp/dump/shop/orders.bson")
    }

    @Test("data without metadata still counts")
    func dataOnly() throws {
        let dump = try DumpDirectory(paths: ["dump/shop/orders.bson", "dump/oplog.bson"])
        #expect(dump.root == "dump/")
        #expect(dump.entries.map(\.database) == ["shop"])
    }

    @Test(
        "what is no dump, several dumps or a compressed dump is refused",
        arguments: [
            ["etc/passwd"], [], ["a/shop/x.bson", "b/shop/x.bson"], ["d/shop/x.bson.gz"], ["x.metadata.json"],
            ["d/shop/x.metadata.json", "d/oplog.bson.gz"],
        ]
    )
    func refused(paths: [String]) throws {
        let failure = try #require(throws: JobFailure.self) { _ = try DumpDirectory(paths: paths) }
        #expect(failure.code == "notADump")
    }
}
