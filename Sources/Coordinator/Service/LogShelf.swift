import BackupModel
import Foundation

/// Job logs as files: `STATE/logs/<namespace>/<session>/<job>.ndjson`.
///
/// A file's length is the offset up to which the log is known: there is nothing beside it that could disagree.
actor LogShelf {
    /// Where a patch fits.
    enum Append: Sendable, Hashable {
        /// Taken in; the log now ends here.
        case done(end: Int64)
        /// It doesn't begin where the log ends.
        case misplaced(end: Int64)
        /// The log is as long as a log may be.
        case full
    }

    /// No log grows beyond this.
    static let maximumBytes: Int64 = 256 << 20

    private let root: String
    private nonisolated let executor = QueueExecutor(label: "remora.logs")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(root: String) { self.root = root }

    private func directory(_ session: ResourceKey) -> String { "\(root)/\(session.namespace)/\(session.name)" }
    private func path(_ session: ResourceKey, _ jobID: String) -> String { "\(directory(session))/\(jobID).ndjson" }

    /// Where a job's log ends.
    func end(_ session: ResourceKey, _ jobID: String) -> Int64 {
        var status = stat()
        return stat(path(session, jobID), &status) == 0 ? Int64(status.st_size) : 0
    }

    /// Adds bytes at an offset.
    func append(_ session: ResourceKey, _ jobID: String, at offset: Int64, _ bytes: [UInt8]) throws -> Append {
        let end = end(session, jobID)
        guard offset == end else { return .misplaced(end: end) }
        guard end + Int64(bytes.count) <= Self.maximumBytes else { return .full }
        try FileManager.default.createDirectory(
            atPath: directory(session),
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let file = path(session, jobID)
        if !FileManager.default.fileExists(atPath: file) {
            guard FileManager.default.createFile(atPath: file, contents: nil, attributes: [.posixPermissions: 0o600])
            else { throw StoreError(description: "can't create \(file); check the state directory's free space") }
        }
        guard let handle = FileHandle(forWritingAtPath: file) else {
            throw StoreError(description: "can't write \(file); check the state directory's owner and free space")
        }
        defer { try? handle.close() }  // the bytes are handed over already; nothing is known later than that
        do {
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(bytes))
        } catch {
            // What was half written must not shift the offsets of what follows.
            truncate(file, Int(end))
            throw error
        }
        return .done(end: end + Int64(bytes.count))
    }

    /// A part of a job's log; empty at its end.
    func read(_ session: ResourceKey, _ jobID: String, from offset: Int64, atMost count: Int) throws -> [UInt8] {
        guard let handle = FileHandle(forReadingAtPath: path(session, jobID)) else { return [] }
        defer { try? handle.close() }  // nothing was written
        try handle.seek(toOffset: UInt64(max(0, offset)))
        return [UInt8](try handle.read(upToCount: count) ?? Data())
    }

    /// Forgets a session's logs.
    func remove(_ session: ResourceKey) throws {
        let path = directory(session)
        if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
    }
}
