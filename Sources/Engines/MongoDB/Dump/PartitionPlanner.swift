import BSON

/// Chooses where a large collection is parted, by sampling: `$sample` → `_id`s → their record ids.
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

    /// Boundaries in the order of the records; fewer than asked for, or none, when samples fall together.
    static func boundaries(
        _ source: Namespace,
        partitions: Int,
        _ connection: MongoConnection
    ) async throws(MongoError) -> [PartitionBoundary] {
        guard partitions > 1 else { return [] }
        let sampled = try await connection.all(
            source.database,
            [
                "aggregate": .string(source.collection),
                "pipeline": [
                    ["$sample": ["size": .integer(partitions * samplesPerPartition)]], ["$project": ["_id": 1]],
                ],
                "cursor": [:],
            ]
        )
        let records = try await connection.all(
            source.database,
            BSONDocument([
                ("find", .string(source.collection)), ("filter", ["_id": ["$in": identities(sampled)]]),
                ("projection", ["_id": 1]), ("showRecordId", true),
            ])
        )
        let candidates = records.compactMap(boundary).sorted { $0.position < $1.position }
        var chosen: [PartitionBoundary] = []
        for index in 1..<partitions where !candidates.isEmpty {
            let candidate = candidates[index * candidates.count / partitions]
            if chosen.last.map({ $0.position < candidate.position }) ?? true { chosen.append(candidate) }
        }
        return chosen
    }

    /// Left out are values that a query takes for something else than themselves.
    private static func identities(_ documents: [BSONDocument]) -> BSONValue {
        var values: [BSONValue] = []
        for value in documents.compactMap({ $0["_id"] }) {
            switch value {
            case .regex, .undefined, .array: continue
            case .document(let document) where document.keys.contains(where: { $0.hasPrefix("$") }): continue
            default: values.append(value)
            }
        }
        return .array(values)
    }

    private static func boundary(_ record: BSONDocument) -> PartitionBoundary? {
        guard let position = RecordPosition(record), let value = record["$recordId"],
            let place = record.places.first(where: { record.bytes[$0.key].elementsEqual("_id".utf8) })
        else { return nil }
        return PartitionBoundary(
            position: position,
            token: ["$recordId": value],
            identity: [place.type.rawValue] + record.bytes[place.value]
        )
    }
}
