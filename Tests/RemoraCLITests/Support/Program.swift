import Foundation
import TestSupport

/// The built program, for what only a process of its own shows: signals, pipes, exit codes.
enum Program {
    /// `remora` beside the running tests.
    static func path() throws -> String {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("remora").path
        guard access(path, X_OK) == 0 else { throw TestSupportError("\(path) is not built; run: swift build") }
        return path
    }
}
