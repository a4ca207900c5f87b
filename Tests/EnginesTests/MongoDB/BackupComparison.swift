import BSON
import BackupModel
import Foundation
import TestSupport
import Testing

@testable import Engines

/// Compares a restored dump directory with what a client of our own reads from the server: names, bytes, metadata.
struct BackupComparison {
    private let server: MongoServer
    private let files: [ExactName: [UInt8]]

    init(_ server: MongoServer, _ files: [ExactName: [UInt8]]) {
        self.server = server
        self.files = files
    }

    func check() async throws {
        let client = try server.client()
        let manifest = try BackupRig.manifest(files)
        var expected: Set<ExactName> = ["oplog.bson", "prelude.json", ExactName(MongoDBManifest.fileName)]
        var known: Set<ExactName> = []
        for (database, entry) in try await catalog(client) {
            let name = try #require(entry["name"]?.string)
            let type = try #require(entry["type"]?.string)
            let record = try #require(
                manifest.namespaces.first { ExactName($0.namespace) == ExactName("\(database).\(name)") },
                "\(database).\(name) is missing from the manifest"
            )
            known.insert(ExactName(record.namespace))
            expected.insert(ExactName(record.metadataFile))
            try await checkMetadata(client, database, entry, record)
            guard type != "view" else {
                #expect(record.file == nil)
                continue
            }
            let file = try #require(record.file)
            expected.insert(ExactName(file))
            let source = type == "timeseries" ? "system.buckets.\(name)" : name
            let (bytes, count) = try await client.read(source, database)
            #expect(
                files[ExactName(file)] == bytes,
                "\(database).\(name) differs: \(files[ExactName(file)]?.count ?? -1) and \(bytes.count) bytes"
            )
            #expect(record.documents == count)
            #expect(record.bytes == Int64(bytes.count))
            #expect(record.crc64 == CRC64(bytes.span.bytes).description)
            #expect(record.partitions.reduce(0) { $0 + $1.documents } == count)
        }
        #expect(Set(manifest.namespaces.map { ExactName($0.namespace) }) == known)
        #expect(Set(files.keys) == expected)
        let users = try await client.command(#"{"usersInfo": {"forAllDBs": true}}"#)["users"]?.array?.count
        #expect(manifest.users == Int64(users ?? 0))
    }

    /// Everything that mongodump would take, asked for in this test's own words.
    private func catalog(_ client: MongoClient) async throws -> [(String, TestDocument)] {
        var result: [(String, TestDocument)] = []
        let list = try await client.command(#"{"listDatabases": 1, "nameOnly": true}"#)
        for database in list["databases"]?.documents?.compactMap({ $0["name"]?.string }) ?? [] where database != "local"
        {
            let reply = try await client.command(
                #"{"listCollections": 1, "cursor": {"batchSize": 100000}}"#,
                on: database
            )
            for entry in reply["cursor.firstBatch"]?.documents ?? [] {
                let name = entry["name"]?.string ?? ""
                let isSystem = name.hasPrefix("system.") && name != "system.js"
                let isUsers = database == "admin" && ["system.users", "system.roles", "system.version"].contains(name)
                let isConfig =
                    database == "config"
                    && !["chunks", "collections", "databases", "settings", "shards", "tags", "version"].contains(name)
                if (!isSystem || isUsers) && !isConfig { result.append((database, entry)) }
            }
        }
        return result
    }

    private func checkMetadata(
        _ client: MongoClient,
        _ database: String,
        _ entry: TestDocument,
        _ record: MongoDBManifest.Namespace
    ) async throws {
        let name = entry["name"]?.string ?? ""
        let text = try #require(files[ExactName(record.metadataFile)], "\(record.metadataFile) is missing")
        let metadata = try ExtendedJSON.parse(text)
        // Read by libbson as well, an independent reader of extended JSON.
        _ = try TestDocument(json: String(decoding: text, as: UTF8.self))
        #expect(metadata["collectionName"]?.string == name)
        #expect(metadata["type"]?.string == entry["type"]?.string)
        let options = entry["options"]?.document
        #expect(metadata["options"]?.document?.bytes ?? BSONDocument([]).bytes == options?.bytes)
        if let uuid = entry["info.uuid"]?.binary {
            #expect(metadata["uuid"]?.string == uuid.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
        }
        guard entry["type"]?.string != "view" else { return }
        let reply = try await client.command(#"{"listIndexes": \#(quoted(name))}"#, on: database)
        let indexes = reply["cursor.firstBatch"]?.documents ?? []
        #expect(metadata["indexes"]?.array?.compactMap { $0.document?.bytes } == indexes.map(\.bytes))
    }
}

extension MongoClient {
    /// Every document in natural order, one after the other, and how many there are.
    func read(_ collection: String, _ database: String) throws -> (bytes: [UInt8], count: Int64) {
        var bytes: [UInt8] = []
        var count: Int64 = 0
        try forEachDocument(in: collection, of: database, options: #"{"hint": {"$natural": 1}}"#) { document in
            bytes += document
            count += 1
        }
        return (bytes, count)
    }
}
