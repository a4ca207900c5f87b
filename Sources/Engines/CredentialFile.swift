import Glibc

/// A file with a user's name or password, as the agent reads it again and again so that it can be changed.
enum CredentialFile {
    /// The file's text; nil when it can't be read or is empty at this moment.
    ///
    /// Trailing white space, as editors leave it, is not part of it.
    static func text(_ path: String?) -> String? {
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
