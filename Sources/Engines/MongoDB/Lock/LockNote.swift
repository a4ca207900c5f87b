import BackupModel
import FoundationEssentials

/// What an agent must remember of a lock that it is about to take, since the lock outlives the agent.
struct LockNote: Codable, Sendable, Hashable {
    /// How far it got.
    enum State: String, Codable, Sendable {
        /// The lock is about to be asked for; whether it was granted isn't known.
        case requested
        /// The server granted it to us alone.
        case held
    }

    /// The job that wants the lock.
    var jobID: String
    /// The member as its set knows it.
    var host: String
    /// The server process: a lock dies with it.
    var processID: String
    /// How far it got.
    var state: State
    /// Seconds since 1970, for people.
    var since: Int64
    /// Whether the member was kept out of elections.
    var isFrozen: Bool
    /// How the lock was asked for; nil where the server has no sessions.
    var request: LockRequest?
    /// The server's operation that holds the lock, once it is held.
    var operation: Int64?

    /// The note as text, for the coordinator's record; nil if it can't be spelled, which only costs certainty.
    var evidence: String? { (try? WireJSON.encode(self)).map { String(decoding: $0, as: UTF8.self) } }
}

extension LockNote {
    /// The note that another agent reported of its lock on `host`; nil when there is none that can be read.
    init?(evidence: String?, of host: String) {
        // One that can't be read is as good as none: the release says what it did without.
        guard let evidence, let note = try? WireJSON.decode(LockNote.self, from: Array(evidence.utf8)),
            note.host.utf8.elementsEqual(host.utf8)
        else { return nil }
        self = note
    }
}

/// Lock notes on disk: one file a member, written before the lock is asked for and removed after it is gone.
struct LockNotes: Sendable {
    let directory: String

    private static let prefix = "mongodb-lock-"
    private static let suffix = ".json"

    private func path(_ host: String) -> String {
        "\(directory)/\(Self.prefix)\(NoteFile.plain(host))\(Self.suffix)"
    }

    /// Writes a note so that it survives a crash of the machine.
    func write(_ note: LockNote) throws {
        let target = path(note.host)
        do {
            try NoteFile.write(WireJSON.encode(note), to: target, in: directory)
        } catch {
            throw MongoDBFailure.state(target, "\(error)")
        }
    }

    /// Forgets the note of a member.
    func remove(_ host: String) throws {
        let target = path(host)
        do {
            try NoteFile.remove(target, in: directory)
        } catch {
            throw MongoDBFailure.state(target, "\(error)")
        }
    }

    /// All notes there are.
    ///
    /// One that can't be read is an error: it may be the only trace of a lock.
    func all() throws -> [LockNote] {
        let names: [String]
        do {
            names = try NoteFile.names(in: directory, prefix: Self.prefix, suffix: Self.suffix)
        } catch {
            throw MongoDBFailure.state(directory, "\(error)")
        }
        return try names.map { name in
            let file = "\(directory)/\(name)"
            do {
                return try JSONDecoder().decode(LockNote.self, from: Data(contentsOf: URL(filePath: file)))
            } catch {
                throw MongoDBFailure.state(file, "the note there can't be read: \(error)")
            }
        }
    }

    /// The note of one member, if there is one.
    func note(of host: String) throws -> LockNote? { try all().first { $0.host == host } }
}
