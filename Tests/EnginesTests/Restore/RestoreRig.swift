import BSON
import BackupModel
import FoundationEssentials
import ObjectStorage
import Repository
import Synchronization
import TestSupport
import Testing

@testable import Engines

/// A mongodump directory in memory, made by a reader of its own: what is restored is not what the engine itself dumped.
struct DumpImage: Sendable {
    /// Contents by path.
    var files: [String: [UInt8]] = [:]
    /// For the manifest.
    var namespaces: [MongoDBManifest.Namespace] = []
    /// Documents of `oplog.bson`.
    var oplog: [BSONDocument]?
    var serverVersion = "6.0.5"

    /// Reads all that a dump has from a server that nobody writes to.
    static func read(_ client: MongoClient, databases: (String) -> Bool = { _ in true }) async throws -> DumpImage {
        var image = DumpImage()
        let list = try await client.command(#"{"listDatabases": 1, "nameOnly": true}"#)
        for database in (list["databases"]?.documents ?? []).compactMap({ $0["name"]?.string }) {
            guard database != "local", database != "config", databases(database) else { continue }
            try await image.add(database, client)
        }
        image.files["prelude.json"] = Array(#"{"ServerVersion":"6.0.5","ToolVersion":"100.18.0"}"#.utf8)
        return image
    }

    private mutating func add(_ database: String, _ client: MongoClient) async throws {
        let list = try await client.command(#"{"listCollections": 1, "cursor": {"batchSize": 1000000}}"#, on: database)
        for entry in list["cursor.firstBatch"]?.documents ?? [] {
            let document = try BSONDocument(validating: entry.bytes)
            let name = try #require(document["name"]?.string)
            if ["system.views", "system.profile", "system.keys"].contains(name) { continue }
            if name.hasPrefix("system.buckets.") { continue }
            let type = document["type"]?.string ?? "collection"
            try await add(database, name, type, document, client)
        }
    }

    private mutating func add(
        _ database: String,
        _ name: String,
        _ type: String,
        _ entry: BSONDocument,
        _ client: MongoClient
    ) async throws {
        var metadata: [(String, BSONValue)] = []
        if let options = entry["options"]?.document, !options.isEmpty {
            metadata.append(("options", .document(options)))
        }
        var indexes: [BSONValue] = []
        if type != "view" {
            let command = #"{"listIndexes": \#(quoted(name)), "cursor": {"batchSize": 1000}}"#
            let reply = try await client.command(command, on: database)
            for index in reply["cursor.firstBatch"]?.documents ?? [] {
                indexes.append(.document(try BSONDocument(validating: index.bytes)))
            }
        }
        metadata.append(("indexes", .array(indexes)))
        var uuid: String?
        if case .binary(_, let bytes)? = entry[path: "info", "uuid"] { uuid = Hexadecimal.encode(bytes) }
        if let uuid { metadata.append(("uuid", .string(uuid))) }
        metadata.append(("collectionName", .string(name)))
        metadata.append(("type", .string(type)))
        let metadataFile = DumpPath.metadata(database, name)
        files[metadataFile] = ExtendedJSON.canonicalBytes(BSONDocument(metadata))
        var data: [UInt8] = []
        var count: Int64 = 0
        var file: String?
        if type != "view" {
            let source = type == "timeseries" ? "system.buckets.\(name)" : name
            file = DumpPath.data(database, source)
            for document in try await client.find(in: source, of: database, options: #"{"hint": {"$natural": 1}}"#) {
                data += document.bytes
                count += 1
            }
            files[file ?? ""] = data
        }
        namespaces.append(
            MongoDBManifest.Namespace(
                namespace: "\(database).\(name)",
                type: type,
                file: file,
                metadataFile: metadataFile,
                uuid: uuid,
                documents: count,
                bytes: Int64(data.count),
                crc64: CRC64(data.span.bytes).description,
                partitions: [],
                isCapped: false,
                isClustered: false,
                isFuzzy: oplog != nil,
                warnings: []
            )
        )
    }

    /// The files with the oplog, and with a manifest when asked for.
    func allFiles(manifest hasManifest: Bool) throws -> [String: [UInt8]] {
        var files = files
        let bytes = oplog.map { $0.flatMap(\.bytes) }
        files["oplog.bson"] = bytes
        guard hasManifest else { return files }
        var manifest = MongoDBManifest(
            formatVersion: 1,
            engine: "mongodb",
            toolVersion: "test",
            serverVersion: serverVersion,
            featureCompatibilityVersion: String(serverVersion.prefix(3)),
            group: "rs0",
            host: "127.0.0.1:1",
            guarantee: .groupCut,
            consistency: .lock,
            startedAt: 0,
            finishedAt: 0,
            selection: NamespaceSelection(),
            namespaces: namespaces,
            users: 0,
            roles: 0,
            warnings: []
        )
        if let bytes, let oplog, let first = oplog.first?["ts"]?.timestamp, let last = oplog.last?["ts"]?.timestamp {
            manifest.oplog = MongoDBManifest.Oplog(
                start: ClusterTime(bits: first),
                end: ClusterTime(bits: last),
                count: Int64(oplog.count),
                bytes: Int64(bytes.count),
                crc64: CRC64(bytes.span.bytes).description
            )
        }
        files["remora.json"] = Array(try JSONEncoder().encode(manifest))
        return files
    }

    /// Stores it as a snapshot, cut into chunks that end where documents end, and opens it for reading.
    func store(manifest: Bool = true, in store: any ObjectStore = MemoryStore(), chunk: Int = 200_000) async throws
        -> SnapshotReader
    {
        let repository = try await Repository.initialize(at: store, password: RestoreRig.password)
        try await repository.loadIndex()
        let writer = repository.makeWriter()
        var stored: [SnapshotFile] = []
        for (path, bytes) in try allFiles(manifest: manifest) {
            var content: [BlobID] = []
            for part in Self.chunks(bytes, path.hasSuffix(".bson"), chunk) {
                content.append(try await writer.store(part, as: .data).id)
            }
            stored.append(SnapshotFile(path: path, size: UInt64(bytes.count), content: content))
        }
        let tree = try await writer.storeTree(stored)
        try await writer.flush()
        let snapshot = Snapshot(time: .epoch, tree: tree, paths: ["/mongodb"], hostname: "test")
        let id = try await writer.commit(snapshot)
        return try await repository.reader(of: id)
    }

    private static func chunks(_ bytes: [UInt8], _ isBSON: Bool, _ size: Int) -> [[UInt8]] {
        guard isBSON else { return bytes.isEmpty ? [] : [bytes] }
        var chunks: [[UInt8]] = []
        var start = 0
        var position = 0
        while position < bytes.count {
            let length = bytes[position..<position + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
            position += length
            if position - start >= size || position == bytes.count {
                chunks.append(Array(bytes[start..<position]))
                start = position
            }
        }
        return chunks
    }

    /// Writes it into a directory, as mongodump would.
    func write(to directory: TestDirectory, manifest: Bool = false) throws {
        for (path, bytes) in try allFiles(manifest: manifest) {
            let parts = path.split(separator: "/")
            if parts.count > 1 { _ = try directory.makeDirectory("dump/\(parts[0])") }
            let file = directory.appending("dump/\(path)")
            try Data(bytes).write(to: URL(filePath: file))
        }
    }
}

/// What a job under test may use, remembering what it was told.
final class RecordingContext: JobContext {
    let jobID = "test-job"
    private let lines = Mutex<[String]>([])
    private let steps = Mutex<[String]>([])
    private let onStep: @Sendable (JobProgress) -> Void

    init(onStep: @escaping @Sendable (JobProgress) -> Void = { _ in }) { self.onStep = onStep }

    func log(_ level: JobLogLevel, _ component: String, _ message: String) {
        lines.withLock { $0.append("\(level): \(message)") }
    }
    func report(_ progress: JobProgress) {
        steps.withLock { if $0.last != progress.step { $0.append(progress.step) } }
        onStep(progress)
    }
    func report(_ lock: LockReport) {}
    func report(_ balancer: BalancerReport) {}
    func recorded() async throws {}
    let meeting = Meeting()
    func reach(_ milestone: JobMilestone) { meeting.reach(milestone) }
    func directive(where accepts: @escaping @Sendable (JobDirective) -> Bool) async throws -> JobDirective {
        try await meeting.directive(where: accepts)
    }
    func leaseLapse() async throws { try await Task.sleep(for: .seconds(3600)) }

    var log: [String] { lines.withLock { $0 } }
}

enum RestoreRig {
    static let password: RepositoryPassword = {
        do { return try RepositoryPassword(trimming: "restore-rig") } catch { preconditionFailure("\(error)") }
    }()

    /// How the agent of this member would be configured.
    static func configuration(_ server: MongoServer, as user: MongoUser? = .remora) -> MongoDBConfiguration {
        guard server.options.isAuthenticated, let user else {
            return MongoDBConfiguration(uri: "mongodb://\(server.address)")
        }
        return MongoDBConfiguration(
            uri: "mongodb://\(server.address)",
            username: user.name,
            password: Secret(user.password),
            authSource: user.database
        )
    }

    @discardableResult static func restore(
        _ snapshot: SnapshotReader,
        into server: MongoServer,
        as user: MongoUser? = .remora,
        conflict: RestoreSpec.Conflict = .failIfNotEmpty,
        selection: NamespaceSelection = NamespaceSelection(),
        usersAndRoles: Bool = true,
        context: RecordingContext = RecordingContext()
    ) async throws -> RestoreResult {
        let spec = RestoreSpec(
            snapshotID: "\(snapshot.id)",
            conflict: conflict,
            selection: selection,
            usersAndRoles: usersAndRoles
        )
        let run = RestoreRun(
            configuration: configuration(server, as: user),
            spec: spec,
            snapshot: snapshot,
            context: context
        )
        return try await run.run()
    }
}
