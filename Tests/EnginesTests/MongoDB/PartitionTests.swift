import BSON
import BackupModel
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("MongoDB partitions")
struct PartitionTests {
    @Test("a collection read in many parts gives the same file and the same chunks as in one", .timeLimit(.minutes(15)))
    func exactness() async throws {
        let directory = try TestDirectory("parts")
        defer { directory.remove() }
        let server = try await MongoServer.start(.authenticated, in: directory)
        try await PartitionData.load(server)
        let rig = try await BackupRig(directory)
        let whole = try await rig.backUp(rig.engine(server), BackupSpec(parallelism: 1))
        let context = BackupContext()
        let parts = try await rig.backUp(
            rig.engine(server) { $0.partitionBytes = 5 << 20 },
            BackupSpec(parallelism: 4),
            context: context
        )
        #expect(!context.log.contains("changed under its readers"))
        for file in parts.output.files where file.path.hasSuffix(".bson") {
            #expect(whole.output.files.contains(file), "\(file.path) has other chunks when it is read in parts")
        }
        #expect(parts.statistics.newDataBlobs <= 1)
        let files = try await rig.restore(parts)
        try await BackupComparison(server, files).check()
        let manifest = try BackupRig.manifest(files)
        for name in ["parts.plain", "parts.mixed", "parts.clustered", "parts.capped"] {
            let record = try #require(manifest.namespaces.first { $0.namespace == name })
            #expect(record.partitions.count > 3, "\(name) was read in \(record.partitions.count) parts")
            var crc = CRC64()
            for part in record.partitions {
                crc.append(try #require(UInt64(part.crc64, radix: 16)), length: Int(part.bytes))
            }
            #expect(crc.description == record.crc64)
        }
        await server.kill()
    }

    @Test("where record ids are refused, ranges of _id give every document once", .timeLimit(.minutes(15)))
    func identifierRanges() async throws {
        let directory = try TestDirectory("ranges")
        defer { directory.remove() }
        var options = MongoOptions.authenticated
        options.parameters["enableTestCommands"] = "1"
        let server = try await MongoServer.start(options, in: directory)
        try await PartitionData.load(server)
        try await PartitionData.loadCollated(server)
        let client = try server.client()
        let rig = try await BackupRig(directory)
        func dump(_ readers: Int, _ change: @escaping (inout MongoDBTuning) -> Void) async throws -> (
            BackupRig.Backup, String
        ) {
            let context = BackupContext()
            let engine = rig.engine(server) { tuning in
                tuning.partitionBytes = 5 << 20
                change(&tuning)
            }
            let backup = try await rig.backUp(engine, BackupSpec(parallelism: readers), context: context)
            #expect(!context.log.contains("changed under its readers"), "\(context.log)")
            return (backup, context.log)
        }
        let (whole, _) = try await dump(1) { $0.usesRecordIDs = false }
        let (parts, _) = try await dump(4) { $0.usesRecordIDs = false }
        for file in parts.output.files where file.path.hasSuffix(".bson") {
            #expect(whole.output.files.contains(file), "\(file.path) has other chunks when it is read in parts")
        }
        #expect(parts.statistics.newDataBlobs <= 1)

        // The real refusal, of the first request for a resume token and of a cursor in the middle.
        try await client.command(
            #"{"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": {"failCommands": ["find"], "errorCode": 40415, "namespace": "parts.mixed", "failInternalCommands": true}}"#
        )
        let (refused, log) = try await dump(1) { _ in }
        #expect(
            log.contains(
                "parts.mixed is read in the order of its _id, because the server doesn't scan it by record ids"
            )
        )
        try await client.command(
            #"{"configureFailPoint": "failCommand", "mode": {"times": 3}, "data": {"failCommands": ["getMore"], "errorCode": 43, "namespace": "parts.mixed"}}"#
        )
        let broken = Task {
            try await dump(4) { tuning in
                tuning.usesRecordIDs = false
                tuning.batchBytes = 256 << 10
            }
        }
        let (resumed, resumedLog) = try await broken.value
        #expect(resumedLog.contains("reading parts.mixed broke off, taking it up again"))
        try await client.command(#"{"configureFailPoint": "failCommand", "mode": "off"}"#)
        #expect(
            resumed.output.files.filter { $0.path == "parts/mixed.bson" }
                == parts.output.files.filter { $0.path == "parts/mixed.bson" }
        )
        #expect(
            refused.output.files.filter { $0.path == "parts/mixed.bson" }
                == parts.output.files.filter { $0.path == "parts/mixed.bson" }
        )

        let files = try await rig.restore(parts)
        let manifest = try BackupRig.manifest(files)
        for name in ["plain", "mixed", "clustered", "capped", "folded", "numeric", "series"] {
            let record = try #require(manifest.namespaces.first { $0.namespace == "parts.\(name)" })
            let data = try #require(files[ExactName(record.file ?? "")])
            let (expected, count) = try await client.read(name == "series" ? "system.buckets.series" : name, "parts")
            #expect(record.documents == count)
            #expect(try PartitionData.sorted(data) == PartitionData.sorted(expected), "\(name) isn't whole")
            // A capped collection's order matters, and `_id` doesn't tell it.
            if name == "capped" { #expect(data == expected) } else { #expect(record.partitions.count > 3, "\(name)") }
        }
        await server.kill()
    }

    @Test("readers that find different seams say so, and those that agree don't")
    func seams() throws {
        let seam = DumpSeam()
        try seam.agree(.document([1, 2]))
        try seam.agree(.document([1, 2]))
        #expect(throws: PartitionsDisagree.self) { try seam.agree(.document([3])) }
        #expect(throws: PartitionsDisagree.self) { try seam.agree(.end) }
    }

    @Test(
        "chunks average a megabyte whatever the documents' size, and strong ends come every 8 MiB or so",
        arguments: [200, 1_000, 20_000]
    )
    func chunkSizes(documentLength: Int) {
        let chunker = DocumentChunker(key: [UInt8](repeating: 7, count: 32), namespace: "a.b")
        var (size, chunks, strong, total) = (0, 0, 0, 0)
        for index in 0..<(400 << 20) / documentLength {
            let identity = (["_id": .integer(index)] as BSONDocument).bytes
            let end = chunker.end(identity.span.bytes, identity: 4..<identity.count - 1, documentLength: documentLength)
            size += documentLength
            total += documentLength
            if case .strong = end { strong += 1 }
            if DocumentChunker.isCut(size: size, end) {
                chunks += 1
                size = 0
            }
        }
        let average = Double(total) / Double(chunks) / Double(1 << 20)
        #expect((0.75...1.1).contains(average), "\(average) MiB")
        let distance = Double(total) / Double(strong) / Double(1 << 20)
        #expect((5...13).contains(distance), "\(distance) MiB")
    }

    @Test("the keyed hash has the values of its specification")
    func sipHash() {
        // Appendix A of "SipHash: a fast short-input PRF": key 00…0f, message 00…0e.
        let hash = SipHash(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        let message = (0..<15).map { UInt8($0) }
        let value = hash(message.span.bytes, 0..<15)
        #expect(value == 0xA129_CA61_49BE_45E5)
    }

    @Test(
        "file names are escaped, cut and hashed as mongodump does",
        arguments: [
            ("orders", "orders"), ("a/b", "a%2Fb"), ("with space", "with+space"), ("100%", "100%25"), ("a*b", "a%2Ab"),
            ("é", "%C3%A9"), ("a.b-c_d~", "a.b-c_d~"), ("$&+,/:;=?@", "%24%26%2B%2C%2F%3A%3B%3D%3F%40"),
            (String(repeating: "x", count: 238), String(repeating: "x", count: 238)),
            (String(repeating: "x", count: 239), String(repeating: "x", count: 208) + "%24Nq75d-cu3iRxNs-ce3Tvf9gagoU"),
        ]
    )
    func names(name: String, stem: String) {
        #expect(DumpPath.stem(name) == stem)
    }
}

/// Collections of 40 MB in every kind of order that a server has.
enum PartitionData {
    private static let count = 40_000

    static func load(_ server: MongoServer) async throws {
        let connection = try MongoConnection(MongoDBConfiguration(uri: server.uri()))
        func create(_ name: String, _ options: [(String, BSONValue)]) async throws {
            _ = try await connection.command("parts", BSONDocument([("create", .string(name))] + options))
        }
        try await create("plain", [])
        try await create("mixed", [])
        try await create("clustered", [("clusteredIndex", ["key": ["_id": 1], "unique": true])])
        try await create("capped", [("capped", true), ("size", .int64(30 << 20))])
        for name in ["plain", "clustered", "capped"] {
            try await insert(connection, name) { .integer(($0 &* 7919) % count) }
        }
        try await insert(connection, "mixed", identifier)
        _ = try await connection.command(
            "parts",
            ["delete": "plain", "deletes": [["q": ["_id": ["$mod": [7, 3]]], "limit": 0]]]
        )
    }

    /// Collections whose `_id` index has an order of its own, and a time series.
    static func loadCollated(_ server: MongoServer) async throws {
        let connection = try MongoConnection(MongoDBConfiguration(uri: server.uri()))
        func create(_ name: String, _ options: BSONDocument) async throws {
            _ = try await connection.command(
                "parts",
                BSONDocument(
                    [("create", .string(name))] + options.keys.compactMap { key in options[key].map { (key, $0) } }
                )
            )
        }
        try await create("folded", ["collation": ["locale": "de", "strength": 1]])
        try await create("numeric", ["collation": ["locale": "en_US", "numericOrdering": true, "caseFirst": "upper"]])
        try await create("series", ["timeseries": ["timeField": "t", "metaField": "m"]])
        let letters = ["a", "B", "ä", "C", "é", "z", "ß", "Ω", "_", "-"]
        for name in ["folded", "numeric"] {
            try await insert(connection, name) { index in
                let letter = letters[(index &* 31) % letters.count]
                let number = (index &* 7919) % count
                return index % 5 == 0
                    ? .integer(number)
                    : index % 5 == 1 ? ["s": .string("\(letter)\(number)")] : .string("\(letter)\(number)")
            }
        }
        for start in stride(from: 0, to: count, by: 1000) {
            let documents = (start..<start + 1000).map { index -> BSONValue in
                [
                    "t": .date(Int64(index) * 4_000_000), "m": .integer(index % 7),
                    "pad": .string(String(repeating: "p", count: 900)),
                ]
            }
            _ = try await connection.command(
                "parts",
                ["insert": "series", "documents": .array(documents), "ordered": false]
            )
        }
    }

    /// The documents of a file, in an order of bytes.
    static func sorted(_ file: [UInt8]) throws -> [[UInt8]] {
        var documents: [[UInt8]] = []
        var places = BSONDocumentSequence(file.span.bytes)
        while let place = try places.next() { documents.append(Array(file[place])) }
        return documents.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private static func insert(
        _ connection: MongoConnection,
        _ collection: String,
        _ identifier: (Int) -> BSONValue
    ) async throws {
        var bytes: [UInt8] = []
        var random = UInt64(collection.utf8.count)
        for index in 0..<count {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let length = 600 + Int(random >> 33) % 800
            let pad = [UInt8](repeating: UInt8(truncatingIfNeeded: random >> 40), count: length)
            bytes += BSONDocument([("_id", identifier(index)), ("pad", .binary(subtype: 0, bytes: pad))]).bytes
            if bytes.count > 8 << 20 || index == count - 1 {
                let result = try await connection.insert("parts", collection, documents: bytes, isOrdered: true)
                #expect(result.failures.isEmpty, "\(result.failures.first?.message ?? "")")
                bytes = []
            }
        }
    }

    /// Every type that an `_id` may have, the extremes once each.
    private static func identifier(_ index: Int) -> BSONValue {
        switch index {
        case 0: return .minKey
        case 1: return .maxKey
        case 2: return .null
        case 3: return .bool(true)
        case 4: return .bool(false)
        case 5: return .double(.nan)
        default: break
        }
        let number = Int64(index)
        switch index % 13 {
        case 0: return .int64(number)
        case 1: return .double(Double(index) + 0.5)
        case 2: return .string("id \(index)")
        case 3: return .document(["n": .int64(number), "s": "x"])
        case 4: return .binary(subtype: 0, bytes: Array(String(index).utf8))
        case 5: return .binary(subtype: 4, bytes: Array(("0000000000000000" + String(index)).utf8.suffix(16)))
        case 6:
            return BSONObjectID(Array(("000000000000" + String(index)).utf8.suffix(12))).map { .objectID($0) } ?? .null
        case 7: return .date(number * 1000)
        case 8: return .timestamp(UInt64(index) << 32 | 1)
        case 9: return .javascript("f\(index)")
        case 10: return .symbol("s\(index)")
        case 11: return .decimal128(BSONDecimal128(low: UInt64(index) * 10 + 1, high: 0x303E << 48))
        default:
            return .dbPointer(namespace: "a.b\(index)", id: BSONObjectID([UInt8](repeating: 1, count: 12)) ?? .zero)
        }
    }
}

extension BSONObjectID {
    fileprivate static let zero = BSONObjectID([UInt8](repeating: 0, count: 12)).unsafelyUnwrapped
}
