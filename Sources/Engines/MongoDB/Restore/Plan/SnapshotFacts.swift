import BSON
import BackupModel
import FoundationEssentials

/// What is known of a snapshot besides its files: from `remora.json`, or the little that `prelude.json` tells.
struct SnapshotFacts: Sendable {
    /// What the manifest says of the oplog.
    struct Oplog: Sendable, Hashable {
        var entries: Int64
        var bytes: Int64
        var crc64: UInt64?
    }

    /// Whether Remora wrote it, so that every number can be compared.
    var hasManifest = false
    /// The version of the server that was backed up.
    var serverVersion: ServerVersion?
    /// Its feature compatibility version.
    var featureVersion: ServerVersion?
    /// What is promised of each data file, by its path from the dump's root.
    var promised: [ExactText: PromisedContent] = [:]
    /// UUIDs by name, those of buckets under the names of buckets.
    var uuids: [Namespace: [UInt8]] = [:]
    /// The oplog, if the manifest tells of one.
    var oplog: Oplog?
    /// The member that was dumped, for the log.
    var host: String?
    /// The point to which it restores.
    var cut: ClusterTime?
    /// The group's place in the sharded cluster that it was backed up with.
    var cluster: MongoDBManifest.Cluster?
}

extension SnapshotFacts {
    /// Reads `remora.json`.
    ///
    /// - Throws: `RestoreFailure` when it can't be read, or a newer Remora wrote it.
    init(manifest text: [UInt8], path: String) throws {
        struct Head: Decodable { var engine: String }
        let manifest: MongoDBManifest
        do {
            let engine = try JSONDecoder().decode(Head.self, from: Data(text)).engine
            guard engine == "mongodb" else { throw RestoreFailure.notADump("\(path) says that it is one of \(engine)") }
            manifest = try JSONDecoder().decode(MongoDBManifest.self, from: Data(text))
        } catch let failure as JobFailure {
            throw failure
        } catch {
            throw RestoreFailure.damagedSnapshot("\(path) is not the manifest of a MongoDB dump: \(error)")
        }
        guard manifest.formatVersion <= MongoDBManifest.currentFormatVersion else {
            throw RestoreFailure.damagedSnapshot(
                "\(path) was written by a newer Remora (\(manifest.toolVersion), layout \(manifest.formatVersion)): "
                    + "restore with that version or later"
            )
        }
        hasManifest = true
        serverVersion = ServerVersion(manifest.serverVersion)
        featureVersion = manifest.featureCompatibilityVersion.flatMap { ServerVersion($0) }
        host = manifest.host
        cut = manifest.cut
        cluster = manifest.cluster
        for entry in manifest.namespaces {
            if let file = entry.file {
                promised[ExactText(file)] = PromisedContent(
                    documents: entry.documents,
                    bytes: entry.bytes,
                    crc64: try Self.crc(entry.crc64, path)
                )
            }
            if let uuid = entry.uuid.flatMap(Hexadecimal.decode), uuid.count == 16,
                let name = Namespace(entry.namespace)
            {
                uuids[entry.type == CollectionMetadata.Kind.timeSeries.rawValue ? name.buckets : name] = uuid
            }
        }
        if let told = manifest.oplog {
            oplog = Oplog(
                entries: told.count,
                bytes: told.bytes,
                crc64: try Self.crc(told.crc64, path)
            )
        }
    }

    private static func crc(_ text: String, _ path: String) throws -> UInt64 {
        guard let crc = UInt64(text, radix: 16) else {
            throw RestoreFailure.damagedSnapshot("\(path) has \"\(text)\" where a CRC-64 belongs")
        }
        return crc
    }
}
