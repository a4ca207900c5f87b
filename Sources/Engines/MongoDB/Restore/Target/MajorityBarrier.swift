import BSON
import BackupModel

/// Waits until a majority of the set has everything that was written with `w: 1`.
struct MajorityBarrier: Sendable {
    let progress: RestoreProgress

    /// The set is asked this often, for this long each time.
    private static let patienceMilliseconds = 10_000
    private static let rounds = 60
    private static let writeConcernTimeout: Int64 = 64

    /// Returns when a majority has it.
    ///
    /// - Throws: `JobFailure` after ten minutes, or when the server says that it can't be.
    func pass(_ connection: MongoConnection) async throws {
        for round in 1...Self.rounds {
            try Task.checkCancellation()
            let reply: BSONDocument
            do throws(MongoError) {
                // The newest entry of all: who has it has everything before it.
                reply = try await connection.command(
                    "admin",
                    [
                        "appendOplogNote": 1, "data": ["remora": "restored"],
                        "writeConcern": ["w": "majority", "wtimeout": .integer(Self.patienceMilliseconds)],
                    ]
                )
            } catch {
                throw RestoreFailure.database(error, "wait for the majority of the set")
            }
            guard let error = reply["writeConcernError"]?.document else { return }
            guard error["code"]?.integer == Self.writeConcernTimeout else {
                throw RestoreFailure.rejected("a majority of the set can't confirm what was restored: \(error)")
            }
            progress.log(.info, "waiting for a majority of the set to have everything (\(round * 10) s)")
        }
        throw RestoreFailure.rejected(
            "everything was written to \(connection.host), but no majority of the set had it after ten minutes: "
                + "see to the other members"
        )
    }
}

extension MongoConnection {
    /// Whether inserts take `bypassEmptyTsReplacement`, learnt by an insert of nothing.
    ///
    /// A server that doesn't know the option complains of it before it complains that there are no documents.
    func knowsBypassEmptyTimestamp() throws(MongoError) -> Bool {
        let unknownField: Int32 = 40415
        do throws(MongoError) {
            let probe = Namespace.restorePrefix + "probe"
            _ = try command("admin", ["insert": .string(probe), "documents": [], "bypassEmptyTsReplacement": true])
            return true
        } catch {
            if error.kind == .server { return error.code != unknownField }
            throw error
        }
    }
}
