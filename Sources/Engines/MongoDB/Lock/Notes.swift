import BackupModel
import FoundationEssentials

/// What an agent must remember of something that it is about to change on a server, since the change outlives the agent.
protocol Note: Codable, Sendable {
    /// How the names of its files begin.
    static var prefix: String { get }
    /// What it is about, as far as there is one note each: a member, a cluster.
    var subject: String { get }
    /// What is said when a note can't be kept; nothing has been changed then.
    static func unkept(_ path: String, _ reason: String) -> JobFailure
}

extension Note {
    /// The note as text, for the coordinator's record; nil if it can't be spelled, which only costs certainty.
    var evidence: String? { (try? WireJSON.encode(self)).map { String(decoding: $0, as: UTF8.self) } }

    /// The note that another agent reported about `subject`; nil when there is none that can be read.
    init?(evidence: String?, of subject: String) {
        // One that can't be read is as good as none: the release says what it did without.
        guard let evidence, let note = try? WireJSON.decode(Self.self, from: Array(evidence.utf8)),
            note.subject.utf8.elementsEqual(subject.utf8)
        else { return nil }
        self = note
    }
}

/// Notes of one kind on disk: one file a subject, written before the change is made and removed after it is undone.
struct Notes<Kind: Note>: Sendable {
    let directory: String

    private static var suffix: String { ".json" }

    private func path(_ subject: String) -> String {
        "\(directory)/\(Kind.prefix)\(NoteFile.plain(subject))\(Self.suffix)"
    }

    /// Writes a note so that it survives a crash of the machine.
    func write(_ note: Kind) throws {
        let target = path(note.subject)
        do {
            try NoteFile.write(WireJSON.encode(note), to: target, in: directory)
        } catch {
            throw Kind.unkept(target, "\(error)")
        }
    }

    /// Forgets the note of a subject.
    func remove(_ subject: String) throws {
        let target = path(subject)
        do {
            try NoteFile.remove(target, in: directory)
        } catch {
            throw Kind.unkept(target, "\(error)")
        }
    }

    /// All notes there are.
    ///
    /// One that can't be read is an error: it may be the only trace of what must be undone.
    func all() throws -> [Kind] {
        let names: [String]
        do {
            names = try NoteFile.names(in: directory, prefix: Kind.prefix, suffix: Self.suffix)
        } catch {
            throw Kind.unkept(directory, "\(error)")
        }
        return try names.map { name in
            let file = "\(directory)/\(name)"
            do {
                return try JSONDecoder().decode(Kind.self, from: Data(contentsOf: URL(filePath: file)))
            } catch {
                throw Kind.unkept(file, "the note there can't be read: \(error)")
            }
        }
    }

    /// The note about one subject, if there is one.
    func note(of subject: String) throws -> Kind? { try all().first { $0.subject.utf8.elementsEqual(subject.utf8) } }
}
