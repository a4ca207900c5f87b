import Foundation

/// Where the durable notes of one member's lock lie, and the right to be the only one who uses them.
///
/// A run that died with the member locked left a note; the next run of this user on the same member releases it first.
/// Two runs at once would take each other's living locks for leftovers, so the directory is held by `flock`.
final class MemberState: Sendable {
    /// For `MongoDBConfiguration.stateDirectory`.
    let directory: String
    private let descriptor: Int32

    /// Makes the directory and takes it.
    ///
    /// - Throws: `CommandFailure` when it can't be made, or somebody else has it.
    init(base: String?, member: String) throws {
        let base = try base ?? Self.defaultBase()
        let name = member.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) ? $0 : "_" }
        directory = "\(base)/member-\(String(name))"
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw CommandFailure(
                .failed,
                "can't make the state directory \(directory): \(ConnectionOptions.reason(error))",
                hint: "give another one with --state-dir"
            )
        }
        let path = "\(directory)/in-use"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CommandFailure(
                .failed,
                "can't write \(path): \(String(cString: strerror(errno)))",
                hint: "give another directory with --state-dir"
            )
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw CommandFailure(.locked, "another remora on this machine works on \(member)", hint: "wait for its end")
        }
    }

    deinit { close(descriptor) }

    private static func defaultBase() throws -> String {
        let surroundings = Surroundings.current
        if let state = surroundings.variable("REMORA_STATE_DIR") { return state }
        if let state = surroundings.variable("XDG_STATE_HOME") { return "\(state)/remora" }
        guard let home = surroundings.variable("HOME") else {
            throw CommandFailure(.usage, "there is no home directory for durable notes", hint: "give --state-dir")
        }
        return "\(home)/.local/state/remora"
    }
}
