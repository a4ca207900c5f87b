import BSON
import BackupModel

/// What is asked of a member around a lock; each call is one command.
struct LockCommands: Sendable {
    let connection: MongoConnection

    /// Whether the member is locked, or a lock is waiting for it.
    func isLocked() async throws(MongoError) -> Bool {
        try await connection.command("admin", MemberFacts.lockQuestion)["fsyncLock"]?.truth == true
    }

    /// Asks for the lock; answers when it is there, however long that takes.
    ///
    /// - Returns: how many locks there are now: 1 when ours is the only one.
    func lock(jobID: String) async throws(MongoError) -> Int {
        let reply = try await connection.command(
            "admin",
            ["fsync": 1, "lock": true, "comment": .document(["remora": .string(jobID)])]
        )
        return Int(reply["lockCount"]?.integer ?? 1)
    }

    /// Takes one lock off.
    ///
    /// Waits behind a lock that is itself still waiting, and undoes it when it comes (observed).
    ///
    /// - Returns: how many locks are left, or nil when there was none.
    func unlock() async throws(MongoError) -> Int? {
        do throws(MongoError) {
            let reply = try await connection.command("admin", ["fsyncUnlock": 1])
            return Int(reply["lockCount"]?.integer ?? 0)
        } catch {
            // "fsyncUnlock called when not locked" comes without a code, so the state itself is asked.
            guard error.kind == .server, error.code != MongoError.ServerCode.unauthorized else { throw error }
            if try await isLocked() { throw error }
            return nil
        }
    }

    /// Identifies the server process: 12 bytes, new at every start.
    func processID() async throws(MongoError) -> String {
        let hello = try await connection.command("admin", ["hello": 1])
        guard case .objectID(let id)? = hello[path: "topologyVersion", "processId"] else { return "unknown" }
        return id.description
    }

    /// Keeps the member from standing for election; 0 lets it again.
    func freeze(seconds: Int) async throws(MongoError) {
        _ = try await connection.command("admin", ["replSetFreeze": .integer(seconds)])
    }

    /// Transactions that have written and are open: a lock would wait for them while every write waits for the lock.
    func openTransactions() async throws(MongoError) -> Int {
        try await connection.all(
            "admin",
            [
                "aggregate": 1,
                "pipeline": [
                    ["$currentOp": ["allUsers": true, "idleSessions": true]],
                    ["$match": ["transaction": ["$exists": true], "locks.Global": ["$in": ["w", "W"]]]],
                    ["$project": ["_id": 0, "opid": 1]],
                ],
                "cursor": [:],
            ]
        ).count
    }
}

/// A point of a set's history with the term it was written in.
struct OpTime: Sendable, Hashable {
    var time: ClusterTime
    var term: Int64

    init?(_ value: BSONValue?) {
        guard let document = value?.document, let bits = document["ts"]?.timestamp else { return nil }
        time = ClusterTime(bits: bits)
        term = document["t"]?.integer ?? -1
    }
}

/// `replSetGetStatus`, as far as a dump needs it.
struct ReplicationState: Sendable {
    /// The newest operation that the member has applied.
    var applied: OpTime
    /// The newest operation that the majority is known to have.
    var committed: ClusterTime
    var document: BSONDocument

    init(asking connection: MongoConnection) async throws(MongoError) {
        document = try await connection.command("admin", ["replSetGetStatus": 1])
        guard let applied = OpTime(document[path: "optimes", "appliedOpTime"]),
            let committed = OpTime(document[path: "optimes", "lastCommittedOpTime"])
        else { throw MongoError(.badReply, "\(connection.host) doesn't say how far it has applied the oplog") }
        self.applied = applied
        self.committed = committed.time
    }
}
