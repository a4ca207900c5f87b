import BSON
import BackupModel
import Repository

/// Puts what was read into the files of a mongodump directory and writes down what they promise.
struct BackupAssembly: Sendable {
    let run: BackupRun
    let reading: BackupRun.Reading
    let begin: ContinuousClock.Instant
    let startedAt: Int64

    /// Layout and metadata follow this release of the stock tools; `prelude.json` names it for them.
    private static let toolsVersion = "100.18.0"

    /// Stores the small files and returns all of them.
    func output() async throws -> BackupOutput {
        var files: [SnapshotFile] = []
        var namespaces: [MongoDBManifest.Namespace] = []
        var warnings = reading.warnings
        for collection in reading.collections {
            let entry = collection.entry
            files.append(try await run.store.file(entry.metadataPath, entry.metadata))
            let chunks = collection.partitions.flatMap(\.chunks)
            if let path = entry.dataPath {
                let size = chunks.reduce(0) { $0 + $1.bytes }
                files.append(SnapshotFile(path: path, size: UInt64(size), content: chunks.map(\.id)))
            }
            let record = namespace(collection, chunks)
            warnings += record.warnings
            namespaces.append(record)
        }
        let oplog = reading.oplog?.file ?? SnapshotFile(path: OplogDump.fileName, size: 0, content: [])
        files.append(oplog)
        files.append(try await run.store.file("prelude.json", prelude))
        let manifest = manifest(namespaces, warnings)
        files.append(try await run.store.file(MongoDBManifest.fileName, try WireJSON.encode(manifest)))
        return BackupOutput(files: files, result: result(manifest))
    }

    private var prelude: [UInt8] {
        [UInt8](#"{"ServerVersion":"\#(run.member.facts.version)","ToolVersion":"\#(Self.toolsVersion)"}"#.utf8)
    }

    private func namespace(_ collection: DumpRun.Collection, _ chunks: [StoredChunk]) -> MongoDBManifest.Namespace {
        let entry = collection.entry
        var warnings: [String] = []
        for name in Set([entry.namespace.collection, entry.source?.collection ?? entry.namespace.collection])
        where DumpPath.breaksStockRestore(name) {
            warnings.append(
                "\(entry.namespace) has so long a name that stock mongorestore can't read its file's name: rename the"
                    + " file by collectionName in its metadata before using that way; remora restores it as it is"
            )
        }
        return MongoDBManifest.Namespace(
            namespace: entry.namespace.description,
            type: entry.type,
            file: entry.dataPath,
            metadataFile: entry.metadataPath,
            uuid: (entry.uuid ?? entry.bucketsUUID).map(Hexadecimal.encode),
            documents: collection.partitions.reduce(0) { $0 + $1.documents },
            bytes: collection.partitions.reduce(0) { $0 + $1.bytes },
            crc64: chunks.checksum.description,
            partitions: collection.partitions.map { content in
                MongoDBManifest.Partition(
                    documents: content.documents,
                    bytes: content.bytes,
                    crc64: content.chunks.checksum.description,
                    chunks: content.chunks.count,
                    firstID: Self.text(content.firstIdentity),
                    lastID: Self.text(content.lastIdentity)
                )
            },
            isCapped: entry.isCapped,
            isClustered: entry.isClustered,
            isFuzzy: collection.isFuzzy,
            warnings: warnings
        )
    }

    /// An `_id` element as extended JSON, unless it is so long that it would swell the manifest.
    private static func text(_ element: [UInt8]?) -> String? {
        guard let element, element.count <= 256 else { return nil }
        var writer = BSONWriter(capacity: element.count + 8)
        writer.beginDocument()
        writer.append(rawElements: element)
        writer.end()
        // The bytes are an element that has been walked before, so this can't fail; without it only a hint is missing.
        return (try? BSONDocument(validating: writer.bytes)).map(ExtendedJSON.canonical)
    }

    private func manifest(_ namespaces: [MongoDBManifest.Namespace], _ warnings: [String]) -> MongoDBManifest {
        MongoDBManifest(
            formatVersion: MongoDBManifest.currentFormatVersion,
            engine: run.engine.name,
            toolVersion: RemoraVersion.current,
            serverVersion: run.member.facts.version,
            featureCompatibilityVersion: run.member.facts.featureCompatibilityVersion,
            group: run.member.facts.hello["setName"]?.string ?? "standalone",
            host: run.member.host,
            guarantee: reading.guarantee,
            consistency: reading.consistency,
            cut: reading.cut,
            lock: reading.lock,
            oplog: reading.oplog?.record,
            cluster: reading.cluster,
            startedAt: startedAt,
            finishedAt: unixSeconds(),
            selection: run.spec.selection,
            namespaces: namespaces,
            users: documents(namespaces, "admin.system.users"),
            roles: documents(namespaces, "admin.system.roles"),
            warnings: warnings
        )
    }

    private func documents(_ namespaces: [MongoDBManifest.Namespace], _ name: String) -> Int64 {
        namespaces.first { $0.namespace == name }?.documents ?? 0
    }

    private func result(_ manifest: MongoDBManifest) -> BackupResult {
        var result = BackupResult(
            engine: manifest.engine,
            group: manifest.group,
            host: manifest.host,
            serverVersion: manifest.serverVersion,
            guarantee: manifest.guarantee,
            consistency: manifest.consistency,
            namespaces: manifest.namespaces.count,
            documents: manifest.namespaces.reduce(0) { $0 + $1.documents },
            bytes: manifest.namespaces.reduce(0) { $0 + $1.bytes }
        )
        result.cut = manifest.cut
        result.oplogStart = manifest.oplog?.start
        result.oplogEnd = manifest.oplog?.end
        result.warnings = manifest.warnings
        result.durationMs = Int64(milliseconds(begin.duration(to: .now)))
        if let lock = manifest.lock {
            result.lock = LockReport(
                host: lock.host,
                isHeld: false,
                heldMs: lock.heldMs,
                point: lock.point,
                endReason: lock.endReason
            )
        }
        return result
    }
}
