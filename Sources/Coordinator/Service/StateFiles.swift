import Foundation

/// The coordinator's own files.
struct StateFiles: Sendable {
    let directory: String

    /// Makes the directory, for its owner only.
    func prepare() throws(CoordinatorError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw CoordinatorError(
                .unavailable,
                "can't make the state directory \(directory): \(error.localizedDescription); check its parent's owner"
            )
        }
    }

    /// A token from its file; made (256 bits, 0600) if the file is missing.
    func token(_ path: String) throws(CoordinatorError) -> [UInt8] {
        if let data = FileManager.default.contents(atPath: path) {
            let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            guard text.utf8.count >= 16 else {
                throw CoordinatorError(
                    .configuration,
                    "the token in \(path) is shorter than 16 bytes and could be guessed; remove the file to have one made"
                )
            }
            return Array(text.utf8)
        }
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CoordinatorError(.configuration, "can't read the token file \(path); check its owner and permissions")
        }
        let token = Digest.hex(Digest.random(32))
        let isMade = FileManager.default.createFile(
            atPath: path,
            contents: Data((token + "\n").utf8),
            attributes: [.posixPermissions: 0o600]
        )
        guard isMade else {
            throw CoordinatorError(.unavailable, "can't write the token file \(path); check its directory")
        }
        return Array(token.utf8)
    }
}
