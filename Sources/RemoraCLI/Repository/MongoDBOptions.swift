import ArgumentParser
import Engines
import Foundation

/// How to reach and open a MongoDB member.
struct MongoDBOptions: ParsableArguments {
    @Option(help: ArgumentHelp("File with the database user's name. REMORA_MONGODB_USERNAME", valueName: "file"))
    var databaseUsernameFile: String?

    @Option(help: ArgumentHelp("File with the database user's password. REMORA_MONGODB_PASSWORD", valueName: "file"))
    var databasePasswordFile: String?

    @Option(help: "Database that knows the user; default: admin.")
    var authSource: String?

    @Option(help: "SCRAM-SHA-1, SCRAM-SHA-256 or MONGODB-X509; default: what both sides know.")
    var authMechanism: String?

    @Option(
        help: ArgumentHelp("PEM file with the authority of the server's certificate; turns TLS on.", valueName: "file")
    )
    var tlsCAFile: String?

    @Option(help: ArgumentHelp("PEM file with our certificate and its key; turns TLS on.", valueName: "file"))
    var tlsCertificateKeyFile: String?

    @Flag(help: "The server's certificate may name another host.")
    var tlsAllowInvalidHostnames = false

    /// The configuration for a connection string.
    ///
    /// - Throws: `CommandFailure` when a file can't be read, or a password stands where everybody can see it.
    func configuration(_ uri: String, stateDirectory: String) throws -> MongoDBConfiguration {
        guard Self.password(in: uri) == nil else {
            throw CommandFailure(
                .usage,
                "the connection string holds a password, which everybody on this machine can see in the list of processes",
                hint: "give it by --database-password-file or REMORA_MONGODB_PASSWORD"
            )
        }
        let surroundings = Surroundings.current
        var result = MongoDBConfiguration(
            uri: uri,
            username: try databaseUsernameFile.map(Self.read) ?? surroundings.variable("REMORA_MONGODB_USERNAME"),
            password: try (databasePasswordFile.map(Self.read) ?? surroundings.variable("REMORA_MONGODB_PASSWORD"))
                .map { Secret($0) },
            authSource: authSource,
            authMechanism: authMechanism,
            appName: "remora",
            stateDirectory: stateDirectory
        )
        if tlsCAFile != nil || tlsCertificateKeyFile != nil {
            result.tls = MongoDBConfiguration.TLS(
                caFile: tlsCAFile,
                certificateKeyFile: tlsCertificateKeyFile,
                allowInvalidHostnames: tlsAllowInvalidHostnames
            )
        }
        return result
    }

    private static func read(_ path: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            throw CommandFailure(.usage, "can't read \(path): \(ConnectionOptions.reason(error))")
        }
    }

    /// The password in a connection string; nil when there is none.
    static func password(in uri: String) -> String? {
        guard let scheme = uri.firstRange(of: "://") else { return nil }
        let authority = uri[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard let at = authority.lastIndex(of: "@"), let colon = authority[..<at].firstIndex(of: ":") else {
            return nil
        }
        let password = authority[authority.index(after: colon)..<at]
        return password.isEmpty ? nil : String(password)
    }

    /// The address in a connection string, without user, path and options.
    static func address(in uri: String) -> String {
        guard let scheme = uri.firstRange(of: "://") else { return uri }
        let authority = uri[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
        guard let at = authority.lastIndex(of: "@") else { return String(authority) }
        return String(authority[authority.index(after: at)...])
    }
}
