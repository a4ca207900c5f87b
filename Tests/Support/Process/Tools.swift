import Foundation

/// The programs that tests run: real servers and the independent tools that check us.
///
/// Each is looked for in its environment variable, then in `.tools/venv` of the checkout (where `make deps` puts what
/// Debian doesn't have), then in `PATH`. One that isn't found is an error, and so a failed test: nothing is skipped.
public enum Tools {
    /// MongoDB's server.
    public static func mongod() throws -> String { try find("mongod", variable: "REMORA_MONGOD") }

    /// SeaweedFS, the S3 server.
    public static func weed() throws -> String { try find("weed", variable: "REMORA_WEED") }

    /// Stock restic, the oracle for the repository format.
    public static func restic() throws -> String { try find("restic", variable: "REMORA_RESTIC") }

    /// OpenSSL's command, which makes the tests' certificates.
    public static func openssl() throws -> String { try find("openssl", variable: "REMORA_OPENSSL") }

    /// The root of the checkout these tests were built from.
    public static let packageRoot: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { url.deleteLastPathComponent() }
        return url.path
    }()

    /// Finds one program.
    ///
    /// - Throws: `TestSupportError` naming the command that installs it.
    public static func find(
        _ name: String,
        variable: String,
        environment: [String: String]? = nil
    ) throws -> String {
        let environment = environment ?? ProcessInfo.processInfo.environment
        if let path = environment[variable], !path.isEmpty {
            guard access(path, X_OK) == 0 else {
                throw TestSupportError("\(variable) names \(path), which is not a program; unset it and run: make deps")
            }
            return path
        }
        let folders =
            ["\(packageRoot)/.tools/venv/bin"] + (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        for folder in folders where access("\(folder)/\(name)", X_OK) == 0 {
            return "\(folder)/\(name)"
        }
        throw TestSupportError("\(name) is not installed; run: make deps")
    }
}
