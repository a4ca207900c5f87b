import BackupModel
import Foundation

/// Everything of a session that a coordinator which takes over must know: one text in the status of its object.
struct SessionRecord: Codable, Sendable, Hashable {
    /// Grows when what is written can't be read by older versions any more.
    var version = 1
    var session: SessionState
    /// What happened, oldest first.
    var events: [SessionEventView]
    /// Its part of the ledger.
    var locks: [LockRecord]

    /// Takes in what changed; a lock is known by its id.
    mutating func add(_ events: [SessionEventView], _ locks: [LockRecord]) {
        self.events += events
        for lock in locks {
            if let index = self.locks.firstIndex(where: { $0.id == lock.id }) {
                self.locks[index] = lock
            } else {
                self.locks.append(lock)
            }
        }
    }

    /// Locks that are, or may be, held.
    var openLocks: [LockRecord] { locks.filter(\.isOpen) }

    // MARK: As a text

    /// Longer ones are compressed: a session of many groups repeats itself a lot.
    private static let plainBytes = 64 << 10
    private static let compressedPrefix = "zstd:"

    /// The text, not longer than an object may hold it.
    ///
    /// When it would be, events in the middle and locks that have ended are left out: what decides is kept whole.
    func text(maximumLength: Int = SessionStatus.maximumRecordLength) throws(StoreError) -> String {
        var record = self
        while true {
            let text = try Self.packed(record)
            if text.utf8.count <= maximumLength { return text }
            if record.events.count > 20 {
                let kept = record.events.count / 2
                record.events = Array(record.events.prefix(kept / 2) + record.events.suffix(kept - kept / 2))
            } else if record.locks.contains(where: { !$0.isOpen }) {
                record.locks.removeAll { !$0.isOpen }
            } else {
                throw StoreError(
                    description: "session \(session.key) has \(session.groups.count) groups and too many attempts: its "
                        + "record of \(text.utf8.count) bytes does not fit into its object (\(maximumLength))"
                )
            }
        }
    }

    private static func packed(_ record: SessionRecord) throws(StoreError) -> String {
        do {
            let bytes = try WireJSON.encode(record)
            if bytes.count <= plainBytes { return String(decoding: bytes, as: UTF8.self) }
            return compressedPrefix + Data(try Zstandard.compress(bytes)).base64EncodedString()
        } catch {
            throw StoreError(description: "session \(record.session.key) can't be written as JSON: \(error)")
        }
    }

    /// Reads a text.
    init(text: String) throws {
        var bytes = Array(text.utf8)
        if text.hasPrefix(Self.compressedPrefix) {
            guard let data = Data(base64Encoded: String(text.dropFirst(Self.compressedPrefix.count))) else {
                throw StoreError(description: "it is cut off or was edited")
            }
            bytes = try Zstandard.decompress([UInt8](data))
        }
        self = try WireJSON.decode(SessionRecord.self, from: bytes)
        guard version == 1 else {
            throw StoreError(description: "version \(version) was written by a newer coordinator; use that one")
        }
    }

    init(session: SessionState, events: [SessionEventView], locks: [LockRecord]) {
        self.session = session
        self.events = events
        self.locks = locks
    }
}
