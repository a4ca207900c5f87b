import FoundationEssentials
import Glibc

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
}

/// Lock notes on disk: one file a member, written before the lock is asked for and removed after it is gone.
struct LockNotes: Sendable {
    let directory: String

    private static let prefix = "mongodb-lock-"
    private static let suffix = ".json"

    private func path(_ host: String) -> String {
        let name = String(
            decoding: host.utf8.map { byte in
                let scalar = Unicode.Scalar(byte)
                let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
                return isPlain || scalar == "." || scalar == "-" ? byte : UInt8(ascii: "_")
            },
            as: UTF8.self
        )
        return "\(directory)/\(Self.prefix)\(name)\(Self.suffix)"
    }

    /// Writes a note so that it survives a crash of the machine: file, then its name, then the directory.
    func write(_ note: LockNote) throws {
        let target = path(note.host)
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            let bytes = [UInt8](try encoder.encode(note))
            try Self.makeDirectory(directory)
            try Self.writeDurably(bytes, to: target + ".new")
            guard rename(target + ".new", target) == 0 else { throw FileError("rename") }
            try Self.syncDirectory(directory)
        } catch {
            throw MongoDBFailure.state(target, "\(error)")
        }
    }

    /// Forgets the note of a member.
    func remove(_ host: String) throws {
        let target = path(host)
        guard unlink(target) == 0 || errno == ENOENT else {
            throw MongoDBFailure.state(target, "\(FileError("unlink"))")
        }
        do {
            try Self.syncDirectory(directory)
        } catch {
            throw MongoDBFailure.state(target, "\(error)")
        }
    }

    /// All notes there are.
    ///
    /// One that can't be read is an error: it may be the only trace of a lock.
    func all() throws -> [LockNote] {
        guard let handle = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw MongoDBFailure.state(directory, "\(FileError("opendir"))")
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(Self.prefix), name.hasSuffix(Self.suffix) { names.append(name) }
        }
        return try names.sorted().map { name in
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

    private struct FileError: Error, CustomStringConvertible {
        let description: String
        init(_ call: String) { description = "\(call): \(String(cString: strerror(errno)))" }
    }

    private static func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw FileError("mkdir") }
    }

    private static func writeDurably(_ bytes: [UInt8], to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileError("open") }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                throw FileError("write")
            }
            rest = rest.dropFirst(written)
        }
        guard fsync(file) == 0 else { throw FileError("fsync") }
    }

    private static func syncDirectory(_ path: String) throws {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw FileError("open") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw FileError("fsync") }
    }
}
