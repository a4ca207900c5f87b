import Foundation
import TestSupport
import Testing

@Suite("a full disk", .serialized)
struct FullDiskTests {
    @Test("a repository whose disk is full fails the backup in words and harms nothing; with room the next one is good")
    func fullDisk() async throws {
        try await withTestDirectory("e2e-full-disk-repository") { directory in
            try await withTemporaryDisk("disk", in: directory, megabytes: 40) { disk in
                try await withRig("e2e-full-disk", repository: "    local:\n      mountPath: \(disk.path)") { rig in
                    try await Bulk.fill(rig.set, megabytes: 96)
                    try await proveFailure(rig, disk)
                    try await disk.resize(megabytes: 320)
                    let backup = try await rig.deployment.remora("backup", "shop", "--wait")
                    try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
                    #expect(try await rig.deployment.json("snapshots").elements.count == 1)
                    try await Restic(
                        repository: "\(disk.path)/demo/shop/rs0",
                        password: Deployment.repositoryPassword
                    ).check()
                }
            }
        }
    }

    private func proveFailure(_ rig: Rig, _ disk: TemporaryDisk) async throws {
        let backup = try await rig.deployment.remora("backup", "shop", "--wait")
        #expect(backup.status == .code(12), "\(backup.text)\(backup.errorText)")
        let said = backup.errorText
        #expect(said.contains("No space left on device") && said.contains(disk.path), "what and where: \(said)")
        #expect(said.contains("free space there or give the repository a larger volume"), "what to do: \(said)")
        #expect(try await rig.lockedMember() == nil, "no member may be locked")
        #expect(try await rig.deployment.json("snapshots").elements.isEmpty, "nothing was published")
        #expect(try files(in: "\(disk.path)/demo/shop/rs0/snapshots").isEmpty)
        #expect(try files(in: "\(disk.path)/demo/shop/rs0/locks").isEmpty, "no lock file is left behind")
        #expect(try files(in: "\(disk.path)/demo/shop/sessions").isEmpty, "no manifest")

        // A file is named by its hash, so a part of one would show.
        let repository = "\(disk.path)/demo/shop/rs0"
        let stored = try files(in: "\(repository)/data") + files(in: "\(repository)/index")
        #expect(!stored.isEmpty, "the disk was full before anything was stored")
        for line in try await Command("/usr/bin/sha256sum", stored).run().text.split(separator: "\n") {
            let (hash, path) = (line.prefix(64), line.dropFirst(66))
            #expect(path.hasSuffix("/\(hash)"), "a partial or foreign file: \(path)")
        }
    }

    /// All files below a directory; none when there is no such directory.
    private func files(in directory: String) throws -> [String] {
        guard FileManager.default.fileExists(atPath: directory) else { return [] }
        return try FileManager.default.subpathsOfDirectory(atPath: directory).map { "\(directory)/\($0)" }.filter {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: $0, isDirectory: &isDirectory) && !isDirectory.boolValue
        }
    }
}
