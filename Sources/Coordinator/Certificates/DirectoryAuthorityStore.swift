import BackupModel
import Foundation

/// Authorities in a file of a directory: for one machine.
///
/// Several processes may share it: writing takes a lock, looks at the version and renames.
public struct DirectoryAuthorityStore: AuthorityStore {
    private let directory: String
    private var path: String { "\(directory)/authority.json" }

    /// Makes a store; the directory is made with the first authority.
    public init(directory: String) { self.directory = directory }

    /// What is stored.
    ///
    /// - Throws: ``CertificateError`` when the file is there and can't be read.
    public func load() async throws -> StoredAuthorities? {
        guard let bytes = try read() else { return nil }
        // What is no state has been damaged, and is replaced as one that isn't there would be made.
        return StoredAuthorities(state: try? WireJSON.decode(AuthorityState.self, from: bytes), version: version(bytes))
    }

    /// Stores a state, for its owner's eyes only.
    ///
    /// - Throws: ``CertificateError`` when it can't be written.
    public func save(_ state: AuthorityState, replacing version: String?) async throws -> Bool {
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw CertificateError("can't make the directory \(directory): \(error.localizedDescription)")
        }
        let lock = open("\(directory)/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw failure("can't open the lock of \(directory)") }
        defer { close(lock) }
        guard flock(lock, LOCK_EX) == 0 else { throw failure("can't lock \(directory)") }
        guard try read().map(self.version) == version else { return false }
        let temporary = "\(path).new"
        let isWritten = FileManager.default.createFile(
            atPath: temporary,
            contents: Data(try WireJSON.encode(state)),
            attributes: [.posixPermissions: 0o600]
        )
        guard isWritten, rename(temporary, path) == 0 else { throw failure("can't write \(path)") }
        return true
    }

    private func read() throws -> [UInt8]? {
        if let data = FileManager.default.contents(atPath: path) { return [UInt8](data) }
        guard !FileManager.default.fileExists(atPath: path) else {
            throw CertificateError("can't read \(path); check its owner and permissions")
        }
        return nil
    }

    private func version(_ bytes: [UInt8]) -> String { Digest.hex(Digest.sha256(bytes)) }

    private func failure(_ attempt: String) -> CertificateError {
        CertificateError("\(attempt): \(String(cString: strerror(errno)))")
    }
}
