/// The password that opens a repository; prints as nothing but a placeholder.
///
/// restic trims white space around passwords that come from a file or a command. So do we, always:
/// otherwise the stock tool could not open what a secret with a trailing newline made.
public struct RepositoryPassword: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let bytes: [UInt8]

    /// Takes a password from text and trims white space around it.
    ///
    /// - Throws: `RepositoryError` with code `.invalidArgument` when nothing is left.
    public init(trimming text: String) throws {
        let trimmed = text.unicodeScalars
            .drop { $0.properties.isWhitespace }
            .reversed().drop { $0.properties.isWhitespace }.reversed()
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: trimmed)
        bytes = Array(String(scalars).utf8)
        guard !bytes.isEmpty else {
            throw RepositoryError(.invalidArgument, "the repository password is empty: give one that is not")
        }
    }

    /// Reads a password from a file, as the stock tool does with `--password-file`.
    public init(file path: String) throws {
        let bytes: [UInt8]
        do {
            bytes = try LocalFile.readAll(path, limit: 1 << 20)
        } catch {
            throw RepositoryError(
                .invalidArgument,
                "can't read the repository password from \(path): check that the file is there",
                cause: error
            )
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw RepositoryError(.invalidArgument, "the repository password in \(path) is not UTF-8 text")
        }
        do {
            try self.init(trimming: text)
        } catch {
            throw RepositoryError(.invalidArgument, "the repository password in \(path) is empty: write one into it")
        }
    }

    /// Never the password.
    public var description: String { "<password>" }
    /// Never the password.
    public var debugDescription: String { "<password>" }
    /// Shows no children, so that dumping a value that holds a password shows none.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
