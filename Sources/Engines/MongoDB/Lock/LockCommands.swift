import BSON
import BackupModel

/// What is asked of a member around a lock; each call is one command.
struct LockCommands: Sendable {
    let connection: MongoConnection

    /// Whether the member is locked, or a lock is waiting for it.
    func isLocked() async throws(MongoError) -> Bool {
        try await connection.command("admin", MemberFacts.lockQuestion)["fsyncLock"]?.truth == true
    }

    /// What is to be written down of a request before it is sent through `connection`, which has sent nothing yet.
    func request(through connection: MongoConnection) async throws(MongoError) -> LockRequest? {
        guard let session = try await connection.sessionID() else { return nil }
        return LockRequest(
            session: Hexadecimal.encode(session),
            connection: try await connection.connectionID(),
            counters: try await counters()
        )
    }

    /// The number of the operation that holds the lock.
    func lockOperation() async throws(MongoError) -> Int64? {
        Self.operation(try await connection.command("admin", MemberFacts.lockQuestion))
    }

    /// Everything that the server knows of the lock and the request that a note names.
    func evidence(_ note: LockNote) async throws(MongoError) -> LockEvidence {
        var evidence = LockEvidence()
        if note.state == .requested, let request = note.request {
            // Asked first: once the connection has gone, no request comes after what is asked next.
            evidence.connection = try await state(of: request.connection)
            evidence.knowsSession = try await knows(request.session)
            // Asked after the sessions: a flush in between must show.
            evidence.counters = try await counters()
            if let number = request.connection, let reply = try await optional(["getLog": "global"]) {
                evidence.log = LockLog(reply["log"]?.array?.compactMap(\.string) ?? [], connection: number)
            }
        }
        let reply = try await connection.command("admin", MemberFacts.lockQuestion)
        evidence.isLocked = reply["fsyncLock"]?.truth == true
        evidence.operation = Self.operation(reply)
        return evidence
    }

    private static func operation(_ reply: BSONDocument) -> Int64? {
        reply["inprog"]?.array?.lazy.compactMap { $0.document?["opid"]?.integer }.first
    }

    private func state(of number: Int64?) async throws(MongoError) -> LockEvidence.Connection {
        guard let number else { return .unknown }
        let operations = try await connection.all(
            "admin",
            [
                "aggregate": 1,
                "pipeline": [
                    ["$currentOp": ["allUsers": true, "idleConnections": true]],
                    ["$match": ["connectionId": .int64(number)]], ["$project": ["active": 1]],
                ],
                "cursor": [:],
            ]
        )
        guard !operations.isEmpty else { return .gone }
        return operations.contains { $0["active"]?.truth == true } ? .busy : .idle
    }

    private func knows(_ session: String) async throws(MongoError) -> Bool? {
        guard let bytes = Hexadecimal.decode(session) else { return nil }
        let identifier: BSONDocument = ["_id.id": .binary(subtype: 4, bytes: bytes)]
        let reply = try await optional(
            [
                "aggregate": 1, "pipeline": [["$listLocalSessions": [:]], ["$match": .document(identifier)]],
                "cursor": [:],
            ]
        )
        return reply.map { $0[path: "cursor", "firstBatch"]?.array?.isEmpty == false }
    }

    private func counters() async throws(MongoError) -> LockCounters? {
        guard let status = try await optional(["serverStatus": 1]),
            let flushes = status[path: "logicalSessionRecordCache", "sessionsCollectionJobCount"]?.integer,
            let commands = status[path: "metrics", "commands"]?.document,
            let unlocks = commands[path: "fsyncUnlock", "total"]?.integer,
            let failedUnlocks = commands[path: "fsyncUnlock", "failed"]?.integer,
            let failedLocks = commands[path: "fsync", "failed"]?.integer
        else { return nil }
        return LockCounters(sessionFlushes: flushes, unlocks: unlocks - failedUnlocks, failedLocks: failedLocks)
    }

    /// The reply, or nil when the server refuses: evidence that is missing makes a case doubtful, not hopeless.
    private func optional(_ command: BSONDocument) async throws(MongoError) -> BSONDocument? {
        do throws(MongoError) {
            return try await connection.command("admin", command)
        } catch {
            guard error.kind == .server else { throw error }
            return nil
        }
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
