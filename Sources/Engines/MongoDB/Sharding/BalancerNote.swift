import BackupModel
import FoundationEssentials

/// What an agent must remember of a balancer that it is about to stop, since it stays stopped when the agent dies.
struct BalancerNote: Codable, Sendable, Hashable {
    /// The job that stops it.
    var jobID: String
    /// The config server's replica set.
    var configServer: String
    /// Its members, `host:port`: one of them is the primary that can start it again.
    var hosts: [String]
    /// Whether automatic splitting was on; stopping the balancer turns it off, and starting it on.
    var autoSplitWasOn: Bool
    /// Seconds since 1970, for people.
    var since: Int64
}

/// Balancer notes on disk: one file a cluster, written before its balancer is stopped and removed when it runs again.
///
/// Only a balancer that was on gets a note, so whoever finds one may start it.
struct BalancerNotes: Sendable {
    let directory: String

    private static let prefix = "mongodb-balancer-"
    private static let suffix = ".json"

    private func path(_ configServer: String) -> String {
        "\(directory)/\(Self.prefix)\(NoteFile.plain(configServer))\(Self.suffix)"
    }

    /// Writes a note so that it survives a crash of the machine.
    func write(_ note: BalancerNote) throws {
        let target = path(note.configServer)
        do {
            try NoteFile.write(WireJSON.encode(note), to: target, in: directory)
        } catch {
            throw MongoDBFailure.balancerState(target, "\(error)")
        }
    }

    /// Forgets the note of a cluster.
    func remove(_ configServer: String) throws {
        let target = path(configServer)
        do {
            try NoteFile.remove(target, in: directory)
        } catch {
            throw MongoDBFailure.balancerState(target, "\(error)")
        }
    }

    /// All notes there are; one that can't be read is an error: it may be the only trace of a stopped balancer.
    func all() throws -> [BalancerNote] {
        let names: [String]
        do {
            names = try NoteFile.names(in: directory, prefix: Self.prefix, suffix: Self.suffix)
        } catch {
            throw MongoDBFailure.balancerState(directory, "\(error)")
        }
        return try names.map { name in
            let file = "\(directory)/\(name)"
            do {
                return try JSONDecoder().decode(BalancerNote.self, from: Data(contentsOf: URL(filePath: file)))
            } catch {
                throw MongoDBFailure.balancerState(file, "the note there can't be read: \(error)")
            }
        }
    }
}
