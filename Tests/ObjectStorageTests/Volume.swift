import Foundation
import TestSupport

/// Volumes that are mounted for a test, which only root may do.
enum Volume {
    /// Whether a volume in memory can be had.
    static let isMountable = geteuid() == 0

    /// Whether a volume without hard links can be had: exFAT by FUSE (Debian: exfat-fuse, exfatprogs).
    static let isExFATMountable =
        isMountable
        && ["/dev/fuse", "/dev/loop-control", mkfs, exFAT].allSatisfy { (path: String) in access(path, F_OK) == 0 }

    private static let mkfs = "/usr/sbin/mkfs.exfat"
    private static let losetup = "/usr/sbin/losetup"
    private static let exFAT = "/usr/sbin/mount.exfat-fuse"

    /// Gives `body` a volume of so many bytes.
    static func withMemory(bytes: Int, _ body: (String) async throws -> Void) async throws {
        try await withMount("/usr/bin/mount", ["-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs"], body)
    }

    /// Gives `body` a volume that has no hard links and no renames that don't replace.
    static func withExFAT(_ body: (String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let image = directory + "/image"
            guard FileManager.default.createFile(atPath: image, contents: nil), truncate(image, 32 << 20) == 0 else {
                throw TestSupportError("can't make \(image)")
            }
            try await Command(mkfs, [image]).run()
            let device = try await Command(losetup, ["--find", "--show", image]).run().text
                .trimmingCharacters(in: .newlines)
            let result = await Result.catching { try await withMount(exFAT, [device], body) }
            try await Command(losetup, ["--detach", device]).run()
            try result.get()
        }
    }

    private static func withMount(
        _ program: String,
        _ arguments: [String],
        _ body: (String) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { path in
            try await Command(program, arguments + [path]).run()
            let result = await Result.catching { try await body(path) }
            try await Command("/usr/bin/umount", [path]).run()
            try result.get()
        }
    }
}

extension Result where Success == Void, Failure == any Error {
    /// Runs `body` and keeps what came of it, so that what was mounted can be unmounted first.
    fileprivate static func catching(_ body: () async throws -> Void) async -> Self {
        do {
            return .success(try await body())
        } catch {
            return .failure(error)
        }
    }
}
