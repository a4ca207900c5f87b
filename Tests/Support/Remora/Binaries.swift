import Foundation

/// Where the programs under test are: our own, as built.
public struct Binaries: Sendable {
    /// The folder that holds `remora`, `remora-agent` and `remora-coordinator`.
    public let folder: String

    /// The programs in one folder.
    ///
    /// - Throws: `TestSupportError` naming the one that isn't there.
    public init(folder: String) throws {
        for name in ["remora", "remora-agent", "remora-coordinator"]
        where access("\(folder)/\(name)", X_OK) != 0 {
            throw TestSupportError("\(folder)/\(name) is not built; run: swift build")
        }
        self.folder = folder
    }

    /// Those beside the running program (test bundle, demonstration, benchmark), or those that `REMORA_BIN` names.
    public static func beside() throws -> Binaries {
        if let folder = ProcessInfo.processInfo.environment["REMORA_BIN"] { return try Binaries(folder: folder) }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return try Binaries(folder: URL(fileURLWithPath: own).deletingLastPathComponent().path)
    }

    /// One program's path.
    public func path(_ name: String) -> String { "\(folder)/\(name)" }
}
