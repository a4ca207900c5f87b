/// The balancer and what it obeys.
extension ShardedCluster {
    /// What the config server says about its balancer.
    public struct BalancerStatus: Sendable, Hashable {
        /// `full` or `off`.
        public var mode: String
        /// Whether a round is going on.
        public var isInRound: Bool
        /// Rounds since this config server became primary.
        public var rounds: Int
    }

    /// Turns the balancer off and returns when no round is going on any more.
    public func stopBalancer() async throws {
        // Refuses a write concern (72).
        try await configClient().command(#"{"_configsvrBalancerStop": 1}"#)
    }

    /// Turns the balancer on; it also turns automatic splitting on (`config.settings`, `autosplit`), whatever it was.
    public func startBalancer() async throws {
        try await configClient().command(#"{"_configsvrBalancerStart": 1}"#)
    }

    /// What the balancer does.
    public func balancerStatus() async throws -> BalancerStatus {
        let reply = try await configClient().command(#"{"_configsvrBalancerStatus": 1}"#)
        return BalancerStatus(
            mode: reply["mode"]?.string ?? "",
            isInRound: reply["inBalancerRound"]?.bool ?? false,
            rounds: reply["numBalancerRounds"]?.int ?? 0
        )
    }

    /// Makes a shard part of a zone.
    public func addToZone(_ zone: String, shard: String) async throws {
        try await configCommand(#"{"_configsvrAddShardToZone": "\#(shard)", "zone": \#(quoted(zone))"#)
    }

    /// Says that keys from `min` to below `max` belong to a zone; prefixes of the shard key aren't completed.
    public func setZone(_ zone: String, of namespace: String, from min: String, to max: String) async throws {
        try await configCommand(
            """
            {"_configsvrUpdateZoneKeyRange": \(quoted(namespace)), "min": \(min), "max": \(max), "zone": \(quoted(zone))
            """
        )
    }

    /// Allows or forbids moves of one collection's chunks, as a resharding or a schema change does.
    public func setAllowMigrations(_ isAllowed: Bool, of namespace: String) async throws {
        try await configCommand(
            #"{"_configsvrSetAllowMigrations": \#(quoted(namespace)), "allowMigrations": \#(isAllowed)"#
        )
    }
}
