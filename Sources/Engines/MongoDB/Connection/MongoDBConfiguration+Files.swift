import Glibc

extension MongoDBConfiguration {
    /// The configuration with the name and the password that their files have now.
    ///
    /// A file that can't be read, or is empty at this moment, changes nothing: what was known may still open the member,
    /// and a lock of ours must be released whatever became of a file.
    public func current() -> MongoDBConfiguration {
        var current = self
        if let name = Self.text(usernameFile) { current.username = name }
        if let password = Self.text(passwordFile) { current.password = Secret(password) }
        return current
    }

    /// As the agent reads it when it begins: trailing white space, as editors leave it, is not part of it.
    private static func text(_ path: String?) -> String? {
        guard let path else { return nil }
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = fread(&bytes, 1, bytes.count, file)
        var text = String(decoding: bytes[..<count], as: UTF8.self)[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text.isEmpty ? nil : String(text)
    }
}
