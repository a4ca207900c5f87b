/// A small file system of its own (tmpfs), to fill up and to enlarge; needs the right to mount, which root has.
public struct TemporaryDisk: Sendable {
    /// Where it is mounted.
    public let path: String

    /// Makes it hold this much; what is in it stays.
    public func resize(megabytes: Int) async throws {
        try await Self.run("mount", ["-o", "remount,size=\(megabytes)m", path])
    }

    fileprivate static func run(_ program: String, _ arguments: [String]) async throws {
        let output = try await Command(try Tools.find(program, variable: "REMORA_\(program.uppercased())"), arguments)
            .output()
        guard output.status.succeeded else {
            throw TestSupportError(
                "\(program) \(arguments.joined(separator: " ")) failed: \(output.errorText); a test of a full disk mounts "
                    + "a file system of its own: run it as root, in a container with CAP_SYS_ADMIN"
            )
        }
    }
}

/// Runs `body` with a disk of this size at `name` in a directory, and unmounts it in any case.
public func withTemporaryDisk<Result>(
    _ name: String,
    in directory: TestDirectory,
    megabytes: Int,
    _ body: (TemporaryDisk) async throws -> Result
) async throws -> Result {
    let disk = TemporaryDisk(path: try directory.makeDirectory(name))
    try await TemporaryDisk.run("mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m,mode=0700", "tmpfs", disk.path])
    do {
        let result = try await body(disk)
        // Lazily: a process that has just been killed may still hold a file.
        try await TemporaryDisk.run("umount", ["--lazy", disk.path])
        return result
    } catch {
        // The error that is under way says more than one of the clean-up would.
        try? await TemporaryDisk.run("umount", ["--lazy", disk.path])
        throw error
    }
}
