/// What a key may look like, the same for every back end.
///
/// A key that one store accepts and another can't hold would make repositories that can't be copied, so the
/// rules are those of the strictest one.
public enum ObjectKey {
    /// The longest key in UTF-8 bytes (Amazon S3 user guide, "Naming objects").
    public static let maximumBytes = 1024
    /// The longest part between two slashes in UTF-8 bytes (`NAME_MAX` of Linux file systems).
    public static let maximumComponentBytes = 255
    /// How names of unfinished files of `DirectoryStore` begin; no key may have a part that does.
    public static let temporaryPrefix = ".remora-tmp-"

    /// Throws unless `key` can name an object in every back end.
    ///
    /// - Throws: `ObjectStorageError` with code `.invalidConfiguration`.
    public static func validate(_ key: String) throws(ObjectStorageError) {
        guard let reason = reasonAgainst(key) else { return }
        throw ObjectStorageError(
            .invalidConfiguration,
            "cannot use object key \(printable(key)): \(reason); keys look like 'data/ab/abcdef'"
        )
    }

    /// Throws unless `prefix` can be the beginning of a key; it may be empty and may end within a part or at a slash.
    ///
    /// - Throws: `ObjectStorageError` with code `.invalidConfiguration`.
    public static func validate(prefix: String) throws(ObjectStorageError) {
        guard !prefix.isEmpty else { return }
        var key = prefix
        if key.utf8.last == UInt8(ascii: "/") { key.removeLast() }
        guard let reason = reasonAgainst(key, isPrefix: true) else { return }
        throw ObjectStorageError(
            .invalidConfiguration,
            "cannot list objects that begin with \(printable(prefix)): \(reason)"
        )
    }

    private static func reasonAgainst(_ key: String, isPrefix: Bool = false) -> String? {
        if key.isEmpty { return "it is empty" }
        if key.utf8.count > maximumBytes { return "it has \(key.utf8.count) bytes, more than \(maximumBytes)" }
        if key.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "it holds control characters" }
        // SeaweedFS and file systems of Windows make a slash of it.
        if key.utf8.contains(UInt8(ascii: "\\")) { return "it holds a backslash" }
        let parts = key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for part in parts {
            if part.isEmpty { return "it begins or ends with a slash or has two in a row" }
            if part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8) { return "'.' and '..' mean directories" }
            if part.count > maximumComponentBytes {
                return "a part of it has \(part.count) bytes, more than \(maximumComponentBytes)"
            }
            if part.starts(with: temporaryPrefix.utf8) {
                return "names that begin with \(temporaryPrefix) belong to unfinished files"
            }
        }
        return nil
    }

    /// The key as it may stand in a message: quoted, control characters escaped, cut when it is long.
    static func printable(_ key: String) -> String {
        var text = ""
        for scalar in key.unicodeScalars.prefix(200) {
            if scalar.value < 0x20 || scalar.value == 0x7f {
                text += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return key.unicodeScalars.count > 200 ? "'\(text)…'" : "'\(text)'"
    }
}
