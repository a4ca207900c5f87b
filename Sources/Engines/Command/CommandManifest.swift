import BackupModel
import Repository

/// What is known of the stream that a function stored: the file `remora.json` in the snapshot's root.
struct CommandManifest: Codable, Sendable, Hashable {
    /// The file's name in the snapshot's root.
    static let fileName = "remora.json"
    /// The newest layout of this file that this code writes.
    static let currentFormatVersion = 1
    /// What the stream promises: whatever its program does with the options that the function gives it.
    static let consistency = "function's"

    /// Layout of this file.
    var formatVersion: Int
    /// The engine's name, like `mysql`.
    var engine: String
    /// The Remora that wrote it.
    var toolVersion: String
    /// The function.
    var function: String
    /// The program that wrote the stream.
    var program: String
    /// Where the database was reached.
    var host: String
    /// Always ``consistency``.
    var consistency: String
    /// Path of the stream in the snapshot.
    var file: String
    /// Its bytes.
    var bytes: Int64
    /// CRC-64/XZ of them, 16 hexadecimal digits.
    var crc64: String
    /// The words that its end was seen to contain; nil when the function asks for none.
    var check: String?
    /// Seconds since 1970.
    var startedAt: Int64
    /// See `startedAt`.
    var finishedAt: Int64

    /// Reads it from a snapshot of this engine.
    ///
    /// - Throws: `JobFailure`: another engine's snapshot, a newer layout, damage.
    static func read(from snapshot: SnapshotReader, engine: String) async throws -> CommandManifest {
        struct Head: Decodable {
            var formatVersion: Int
            var engine: String
        }
        guard snapshot.files.contains(where: { $0.path == fileName }) else {
            throw JobFailure(
                code: "notADump",
                message:
                    "can't restore: snapshot \(snapshot.id.short) has no \(fileName), so it was not made by a Function",
                isRetryable: false
            )
        }
        do {
            let bytes = try await snapshot.read(fileName, limit: 1 << 20)
            let head = try WireJSON.decode(Head.self, from: bytes)
            guard head.engine == engine else {
                throw JobFailure(
                    code: "notADump",
                    message:
                        "can't restore: snapshot \(snapshot.id.short) is one of \(head.engine), and this is \(engine)",
                    isRetryable: false
                )
            }
            guard head.formatVersion <= currentFormatVersion else {
                throw CommandFailure.unsupported(
                    "can't restore: snapshot \(snapshot.id.short) was written by a newer Remora: update the agent"
                )
            }
            return try WireJSON.decode(CommandManifest.self, from: bytes)
        } catch let error as RepositoryError {
            throw RestoreFailure.unreadable(error, fileName)
        } catch let error as DecodingError {
            throw RestoreFailure.damagedSnapshot("\(fileName) of snapshot \(snapshot.id.short) can't be read: \(error)")
        }
    }
}
