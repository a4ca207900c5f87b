/// Who logs in, out of a connection string as operators and cloud services keep it in a Secret.
///
/// Its hosts are of no interest: an agent talks to its own member only.
public struct CredentialURI: Sendable, Hashable {
    /// User name.
    public let username: String
    /// Password; nil where the mechanism needs none.
    public let password: Secret?
    /// Database that knows the user: `authSource`, else the one in the path; nil when it says neither.
    public let authSource: String?
    /// `authMechanism`; nil when it says none.
    public let authMechanism: String?

    /// Reads a connection string (MongoDB's manual, "Connection Strings").
    ///
    /// - Throws: `MongoError` of kind `.configuration`, which never shows the text.
    public init(_ text: String) throws(MongoError) {
        guard let scheme = ["mongodb://", "mongodb+srv://"].first(where: text.hasPrefix) else {
            throw MongoError(
                .configuration,
                "it must be a connection string that begins with mongodb:// or mongodb+srv://"
            )
        }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard let at = authority.lastIndex(of: "@"), at > authority.startIndex else {
            throw MongoError(.configuration, "the connection string names no user: it must hold USER:PASSWORD@")
        }
        let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = ConnectionString.decode(String(parts[0]))
        guard !name.isEmpty else {
            throw MongoError(.configuration, "the connection string names no user: it must hold USER:PASSWORD@")
        }
        username = name
        password = parts.count > 1 ? Secret(ConnectionString.decode(String(parts[1]))) : nil
        let tail = rest[authority.endIndex...]
        let database = tail.drop { $0 == "/" }.prefix { $0 != "?" }
        var options: [String: String] = [:]
        for option in tail.drop(while: { $0 != "?" }).dropFirst().split(whereSeparator: { $0 == "&" || $0 == ";" }) {
            let sides = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2 else { continue }
            options[sides[0].lowercased()] = ConnectionString.decode(String(sides[1]))
        }
        authSource = options["authsource"] ?? (database.isEmpty ? nil : ConnectionString.decode(String(database)))
        authMechanism = options["authmechanism"]
    }
}
