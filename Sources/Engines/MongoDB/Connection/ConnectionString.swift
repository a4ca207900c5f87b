/// The parts of a `mongodb://` connection string that Remora changes or hides.
struct ConnectionString: Sendable, Hashable {
    private(set) var credentials: String?
    private(set) var hosts: String
    private(set) var tail: String

    private static let scheme = "mongodb://"

    init(_ text: String) throws(MongoError) {
        guard text.hasPrefix(Self.scheme) else {
            throw MongoError(
                .configuration,
                "the connection string must begin with mongodb:// and name the member itself"
                    + " (mongodb+srv:// names a whole deployment)"
            )
        }
        var rest = text.dropFirst(Self.scheme.count)
        if let slash = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) {
            tail = String(rest[slash...])
            rest = rest[..<slash]
        } else {
            tail = ""
        }
        if let at = rest.lastIndex(of: "@") {
            credentials = String(rest[..<at])
            rest = rest[rest.index(after: at)...]
        }
        hosts = String(rest)
        guard !hosts.isEmpty else {
            throw MongoError(.configuration, "the connection string names no host")
        }
        guard !hosts.contains(",") else {
            throw MongoError(
                .configuration,
                "the connection string names several hosts; an agent serves one member: name only that one"
            )
        }
    }

    /// The text without its log-in; as it is when it can't be read, which connecting tells.
    static func withoutCredentials(_ text: String) -> String {
        // A text that can't be read has been refused before with the reason.
        guard var address = try? ConnectionString(text) else { return text }
        address.credentials = nil
        return address.text
    }

    /// The same for another member.
    func replacingHost(_ host: String) -> ConnectionString {
        var copy = self
        copy.hosts = host
        return copy
    }

    var text: String { Self.scheme + (credentials.map { $0 + "@" } ?? "") + hosts + tail }

    /// The address alone, for logs and messages.
    var display: String { Self.decode(hosts) }

    /// What must not be shown: the password as it is written and as it is meant.
    var secrets: [String] {
        guard let credentials, let colon = credentials.firstIndex(of: ":") else { return [] }
        let written = String(credentials[credentials.index(after: colon)...])
        return [written, Self.decode(written)]
    }

    /// Without percent signs, which stand for bytes.
    static func decode(_ text: String) -> String {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x25, rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                result.append(value)
                rest = rest.dropFirst(2)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
