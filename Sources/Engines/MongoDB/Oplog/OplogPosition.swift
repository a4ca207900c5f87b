import BSON
import BackupModel

/// Where an oplog slice must begin so that replaying it over data read from now on is exact.
struct OplogPosition: Sendable {
    /// The first entry that is needed.
    var start: ClusterTime
    /// The newest entry applied when the position was taken.
    var applied: OpTime
    /// In a cluster: what changes of its layout were under way then.
    var layout = LayoutTracker()

    /// Takes the position of a member.
    ///
    /// The newest applied entry first and the open transactions second: one that is open in between is found
    /// here or, if it ends in between, by its chain in the slice.
    init(asking connection: MongoConnection) async throws(MongoError) {
        applied = try await ReplicationState(asking: connection).applied
        start = applied.time
        let transactions = try await connection.all(
            "config",
            [
                "find": "transactions", "filter": ["state": ["$in": ["prepared", "inProgress"]]],
                "projection": ["startOpTime": 1], "readConcern": ["level": "local"],
            ]
        )
        for transaction in transactions {
            if let begun = OpTime(transaction["startOpTime"]) { start = min(start, begun.time) }
        }
    }
}
