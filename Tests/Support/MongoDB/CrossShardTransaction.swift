import Synchronization

/// A transaction over several shards, driven by hand as a router drives it: one session and one number on all of them,
/// committed by a coordinator on the first shard.
///
/// Each shard's commands go through one connection, given by the caller and used by nobody else meanwhile. `$clusterTime`
/// is carried from every reply to the next command, wherever it goes, as drivers do: without it a later write on another
/// shard may get an earlier time.
public actor CrossShardTransaction {
    /// How it ended.
    public enum Outcome: Sendable, Hashable {
        /// All shards have it, or will as soon as they can.
        case committed
        /// No shard has it.
        case aborted
    }

    private let session: TestDocument
    private let number: Int
    private var participants: [String] = []
    private var connections: [String: WireConnection] = [:]
    private var clusterTime: ClusterTime

    /// Begins nothing yet.
    ///
    /// - Parameters:
    ///   - session: of the caller, never used for two things at once.
    ///   - number: greater than that of any transaction of this session before.
    ///   - clusterTime: what the caller has seen; it sees what this sees.
    public init(session: SessionIdentifier, number: Int, clusterTime: ClusterTime = ClusterTime()) {
        self.session = session.document
        self.number = number
        self.clusterTime = clusterTime
    }

    /// Runs a command of the transaction on a shard; the shard of the first one coordinates the commit.
    ///
    /// - Parameters:
    ///   - json: extended JSON, without write concern.
    ///   - database: where to.
    ///   - shard: its name.
    ///   - connection: to the shard's primary.
    /// - Returns: the reply.
    /// - Throws: `MongoError`; the transaction can only be aborted then.
    @discardableResult public func run(
        _ json: String,
        on database: String,
        shard: String,
        over connection: WireConnection
    ) async throws -> TestDocument {
        let isFirst = connections[shard] == nil
        let isCoordinator = participants.isEmpty
        if isFirst {
            participants.append(shard)
            connections[shard] = connection
        }
        return try await send(json, on: database, over: connection) { fields in
            if isFirst { fields.bool("startTransaction", true) }
            if isFirst && isCoordinator { fields.bool("coordinator", true) }
        }
    }

    /// Commits on all shards or on none, by the coordinator's two phases.
    ///
    /// - Parameter reconnect: gives a connection to the present primary of the coordinating shard; asked again and again
    ///   after an answer that says nothing about the outcome.
    /// - Returns: what became of it.
    /// - Throws: `TestSupportError` when no answer came for two minutes.
    public func commit(reconnect: @Sendable (String) async throws -> WireConnection) async throws -> Outcome {
        guard let coordinator = participants.first, var connection = connections[coordinator] else { return .committed }
        let list = participants.map { #"{"shardId": "\#($0)"}"# }.joined(separator: ", ")
        let command = """
            {"coordinateCommitTransaction": 1, "participants": [\(list)], "writeConcern": {"w": "majority"}}
            """
        return try await eventually("the outcome of a transaction is known", within: .seconds(120)) {
            do {
                try await send(command, on: "admin", over: connection)
                return .committed
            } catch let error as MongoError where error.code == 251 && error.reply["writeConcernError"] == nil {
                // NoSuchTransaction, confirmed by a majority: the only other outcome.
                return .aborted
            } catch {
                connection = try await reconnect(coordinator)
                throw error
            }
        }
    }

    /// Aborts on all shards that were spoken to, after an error or `aborted`; not while a commit's outcome is unknown.
    ///
    /// A shard that can't be reached aborts by itself, a minute later: it was never prepared. Until then the documents
    /// that it wrote refuse other writers, so a broken connection is replaced by what `reconnect` gives.
    public func abort(reconnect: @Sendable (String) async throws -> WireConnection) async {
        for shard in participants {
            guard let connection = connections[shard] else { continue }
            do {
                try await send(#"{"abortTransaction": 1}"#, on: "admin", over: connection)
            } catch let error as MongoError where error.code == 251 {
                // It never began there, or a new primary knows nothing of it.
            } catch {
                // As above, and what can't be reached ends by itself.
                _ = try? await send(#"{"abortTransaction": 1}"#, on: "admin", over: reconnect(shard))
            }
        }
    }

    /// Prepares on every shard, and leaves it so until `commitPrepared`, which is what a router's death between the two
    /// phases looks like: locks are held, backups must wait or go round.
    ///
    /// - Returns: the time that it must be committed at, the latest of the shards' own.
    public func prepare() async throws -> UInt64 {
        var latest: UInt64 = 0
        for shard in participants {
            guard let connection = connections[shard] else { continue }
            let reply = try await send(
                #"{"prepareTransaction": 1, "writeConcern": {"w": "majority"}}"#,
                on: "admin",
                over: connection
            )
            latest = max(latest, reply["prepareTimestamp"]?.timestamp ?? 0)
        }
        return latest
    }

    /// Commits what `prepare` left prepared, on one shard after the other.
    ///
    /// - Parameters:
    ///   - time: what `prepare` returned.
    ///   - shards: which ones; all of them by default.
    /// - Throws: `MongoError`.
    public func commitPrepared(at time: UInt64, shards: [String]? = nil) async throws {
        for shard in shards ?? participants {
            guard let connection = connections[shard] else { continue }
            let timestamp = #"{"$timestamp": {"t": \#(time >> 32), "i": \#(time & 0xffff_ffff)}}"#
            try await send(
                #"{"commitTransaction": 1, "commitTimestamp": \#(timestamp), "writeConcern": {"w": "majority"}}"#,
                on: "admin",
                over: connection
            )
        }
    }

    @discardableResult private func send(
        _ json: String,
        on database: String,
        over connection: WireConnection,
        _ more: (inout TestDocumentBuilder) -> Void = { _ in }
    ) async throws -> TestDocument {
        let fields = TestDocument { fields in
            fields.document("lsid", session)
            fields.int64("txnNumber", Int64(number))
            fields.bool("autocommit", false)
            more(&fields)
        }
        return try await connection.command(json, on: database, appending: fields, after: clusterTime)
    }
}

/// A session that a client made up for itself.
public struct SessionIdentifier: Sendable {
    let document: TestDocument

    /// A new one.
    public init() {
        document = TestDocument { $0.binary("id", (0..<16).map { _ in .random(in: 0...255) }, subtype: 4) }
    }
}

/// The latest cluster time that somebody has seen, signed by the server that told it.
public final class ClusterTime: Sendable {
    private let latest = Mutex<TestDocument?>(nil)

    /// Nothing seen yet.
    public init() {}

    /// The same time, which then goes on by itself.
    public func copy() -> ClusterTime {
        let copy = ClusterTime()
        let document = document
        copy.latest.withLock { $0 = document }
        return copy
    }

    /// What to send along as `$clusterTime`.
    public var document: TestDocument? { latest.withLock { $0 } }

    /// Keeps a reply's cluster time if it is later than any before.
    public func advance(by reply: TestDocument) {
        guard let time = reply["$clusterTime"]?.document else { return }
        latest.withLock { latest in
            if (time["clusterTime"]?.timestamp ?? 0) > (latest?["clusterTime"]?.timestamp ?? 0) { latest = time }
        }
    }
}
