import BSON

/// What is asked of a cluster's balancer; each call goes to the config server's primary.
struct Balancer: Sendable {
    /// What it does at the moment.
    struct Status: Sendable, Hashable {
        /// `full`, `autoSplitOnly` or `off`.
        var mode: String
        /// Whether a round is going on, which can begin migrations.
        var isInRound: Bool

        /// Whether it may move chunks.
        var isOn: Bool { mode == "full" }
    }

    let connection: MongoConnection

    func status() async throws(MongoError) -> Status {
        let reply = try await connection.command("admin", ["_configsvrBalancerStatus": 1])
        guard let mode = reply["mode"]?.string else {
            throw MongoError(.badReply, "\(connection.host) doesn't say what its balancer does")
        }
        return Status(mode: mode, isInRound: reply["inBalancerRound"]?.truth ?? true)
    }

    /// Turns it off; waits for the round that is going on, but not longer than `milliseconds`.
    func stop(waiting milliseconds: Int) async throws(MongoError) {
        do throws(MongoError) {
            _ = try await connection.command(
                "admin",
                ["_configsvrBalancerStop": 1, "maxTimeMS": .integer(milliseconds)]
            )
        } catch {
            // It has been turned off before the wait began; whether the round ended is asked by itself.
            guard error.code == MongoError.ServerCode.maxTimeExpired else { throw error }
        }
    }

    func start() async throws(MongoError) {
        _ = try await connection.command("admin", ["_configsvrBalancerStart": 1])
    }

    /// Whether chunks are split automatically (up to 6.0).
    func isAutoSplitOn() async throws(MongoError) -> Bool {
        let found = try await connection.all(
            "config",
            ["find": "settings", "filter": ["_id": "autosplit"], "readConcern": ["level": "majority"]]
        )
        return found.first?["enabled"]?.truth ?? true
    }

    func turnAutoSplitOff() async throws(MongoError) {
        _ = try await connection.command(
            "config",
            [
                "update": "settings",
                "updates": [["q": ["_id": "autosplit"], "u": ["$set": ["enabled": false]], "upsert": true]],
                "writeConcern": ["w": "majority", "wtimeout": 10_000],
            ]
        )
    }

    /// Migrations that the config server has begun and not ended, as namespaces.
    func migrations() async throws(MongoError) -> [String] {
        try await connection.all("config", ["find": "migrations", "readConcern": ["level": "local"]])
            .map { $0["ns"]?.string ?? "?" }
    }
}
