import BSON
import BackupModel

/// Chooses where a large collection is parted, by sampling: `$sample` → `_id`s → their record ids, where it is read by
/// those.
enum PartitionPlanner {
    /// Samples for each partition: enough that the largest is rarely twice the smallest.
    private static let samplesPerPartition = 24
    /// More partitions than this bring nothing: readers take the next one when they are done.
    private static let most = 64

    /// How many partitions a collection of this size is worth.
    static func count(bytes: Int64, readers: Int, partitionBytes: Int64) -> Int {
        guard readers > 1, bytes >= 2 * partitionBytes else { return 1 }
        return Int(min(bytes / partitionBytes, Int64(min(most, readers * 4))))
    }

    /// Boundaries in the order of the scan, at the time that is going to be read; fewer than asked for, or none, when samples fall together.
    static func boundaries(
        _ source: Namespace,
        _ order: ScanOrder,
        partitions: Int,
        at time: ClusterTime? = nil,
        _ connection: MongoConnection
    ) async throws(MongoError) -> [PartitionBoundary] {
        guard partitions > 1, order != .natural else { return [] }
        var pipeline: [BSONValue] = [
            ["$sample": ["size": .integer(partitions * samplesPerPartition)]], ["$project": ["_id": 1]],
        ]
        // By the server, which knows the collection's collation and the order of types.
        if order == .identifiers { pipeline.append(["$sort": ["_id": 1]]) }
        var sample: BSONDocument = [
            "aggregate": .string(source.collection), "pipeline": .array(pipeline), "cursor": [:],
        ]
        if let time { sample = sample.appending("readConcern", time.readConcern) }
        let sampled = try await connection.all(source.database, sample).filter(isUsable)
        if order == .identifiers { return choose(sampled, partitions).map(PartitionBoundary.identifier) }
        var find = BSONDocument([
            ("find", .string(source.collection)),
            ("filter", ["_id": ["$in": .array(sampled.compactMap { $0["_id"] })]]),
            ("projection", ["_id": 1]), ("showRecordId", true),
        ])
        if let time { find = find.appending("readConcern", time.readConcern) }
        let records = try await connection.all(source.database, find)
        let candidates = records.compactMap(Candidate.init).sorted { $0.position < $1.position }
        return choose(candidates, partitions).map { .record($0.position, token: $0.token, identity: $0.identity) }
    }

    /// Every so many of what has been sorted, and none of them twice.
    private static func choose<Sample: Equatable>(_ candidates: [Sample], _ partitions: Int) -> [Sample] {
        var chosen: [Sample] = []
        for index in 1..<partitions where !candidates.isEmpty {
            let candidate = candidates[index * candidates.count / partitions]
            if chosen.last != candidate { chosen.append(candidate) }
        }
        return chosen
    }

    /// Whether a query takes the `_id` for itself, and a bound for a place inside the collection (`min: MaxKey` is
    /// refused).
    private static func isUsable(_ document: BSONDocument) -> Bool {
        switch document["_id"] {
        case nil, .regex?, .undefined?, .array?, .minKey?, .maxKey?: false
        case .document(let document)?: !document.keys.contains { $0.hasPrefix("$") }
        default: true
        }
    }

    private struct Candidate: Equatable {
        var position: RecordPosition
        var token: BSONDocument
        var identity: [UInt8]

        init?(_ record: BSONDocument) {
            guard let position = RecordPosition(record), let value = record["$recordId"],
                let place = record.places.first(where: { record.bytes[$0.key].elementsEqual("_id".utf8) })
            else { return nil }
            self.position = position
            token = ["$recordId": value]
            identity = [place.type.rawValue] + record.bytes[place.value]
        }
    }
}
