import TestSupport
import Testing

/// A sharded cluster with an agent beside every member, as a person backs it up.
@Suite("a sharded cluster is backed up at one cut", .serialized)
struct ShardedClusterTests {
    /// What nobody writes to meanwhile.
    private func withoutBank(_ cluster: ShardedCluster) async throws -> ShardedFingerprint {
        try await ShardedFingerprint.read(cluster) { !["local", "config", "bank"].contains($0) }
            .withoutBalancerSettings()
    }

    @Test(
        "in every way while a bank transfers money between shards; it comes back as it was at the cut, and the balancer runs"
    )
    func wholeBackup() async throws {
        try await withShardedRig("e2e-sharded") { sharded in
            let groups = try await eventually("all agents have looked at their members") {
                let groups = try await sharded.deployment.connectedAgents().compactMap { $0["group"].string }.sorted()
                return groups.count == sharded.allAgents.count ? groups : nil
            }
            #expect(groups == ["cfg"] + Array(repeating: "rsA", count: 3) + Array(repeating: "rsB", count: 3))
            try await ShardedDataSet().load(into: sharded.cluster)
            let before = try await withoutBank(sharded.cluster)
            #expect(before.contradictions == [])
            let bank = BankWorkload(sharded.cluster)
            try await bank.start()

            var backups: [String] = []
            for consistency in [nil, "snapshot", "oplog"] { backups.append(try await backUp(sharded, consistency)) }
            let written = try await bank.stop()
            #expect(written.transfers > 0)
            for group in ["cfg", "rsA", "rsB"] {
                try await Restic(
                    repository: sharded.deployment.directory.appending("repository/demo/shop/\(group)"),
                    password: Deployment.repositoryPassword
                ).check()
            }
            let locks = try await sharded.deployment.json("locks").elements
            #expect(!locks.isEmpty)
            #expect(locks.allSatisfy { $0["endedAt"] != .null }, "\(locks)")

            let refused = try await sharded.deployment.remora("restore", "shop", "--from", "latest", "--wait")
            #expect(refused.status == .code(7), "\(refused.text)\(refused.errorText)")
            #expect((refused.text + refused.errorText).contains("--drop"), "\(refused.text)\(refused.errorText)")
            try await ShardedDataSet.drop(from: sharded.cluster)
            for backup in backups { try await restore(sharded, backup, before) }

            await sharded.stop()
            await sharded.cluster.kill()
            try await restoreElsewhere(sharded.deployment.directory.appending("repository"), backups[0], before)
        }
    }
}

extension ShardedClusterTests {
    /// Backs up in one way, with locks where nothing is said, and returns the session's name.
    private func backUp(_ sharded: ShardedDeployment, _ consistency: String?) async throws -> String {
        let deployment = sharded.deployment
        let backup =
            if let consistency {
                try await deployment.remora("backup", "shop", "--consistency", consistency, "--wait")
            } else {
                try await deployment.remora("backup", "shop", "--wait")
            }
        try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
        #expect(try await sharded.lockedMember() == nil)
        #expect(try await sharded.cluster.balancerStatus().mode == "full")
        let snapshot = try await sharded.deployment.json("snapshots")[0]
        let parts = snapshot["groups"].elements
        #expect(parts.compactMap { $0["group"].string }.sorted() == ["cfg", "rsA", "rsB"])
        #expect(snapshot["guarantee"].string == "cluster-cut", "\(snapshot)")
        let session = try #require(snapshot["session"].string)
        let described = try await sharded.deployment.remora("describe", session)
        #expect(described.text.contains(consistency ?? "lock"), "\(described.text)")
        return session
    }

    /// Puts a backup in the place of all there is.
    private func restore(_ sharded: ShardedDeployment, _ backup: String, _ truth: ShardedFingerprint) async throws {
        // What is in the config server's own databases was not dropped.
        let restore = try await sharded.deployment.remora("restore", "shop", "--from", backup, "--drop", "--wait")
        try #require(restore.status.succeeded, "\(restore.text)\(restore.errorText)")
        try await sharded.cluster.waitUntilInSync()
        let differences = try await withoutBank(sharded.cluster).differences(from: truth)
        #expect(differences.isEmpty, "\(backup): \(differences)")
        let contradictions = try await BankWorkload.contradictions(in: sharded.cluster)
        #expect(contradictions == [], "\(backup)")
        #expect(try await sharded.cluster.balancerStatus().mode == "full")
    }
}

extension ShardedClusterTests {
    /// Nothing is left but the repository: a new coordinator restores into a new cluster, whose shards are named the
    /// other way round.
    private func restoreElsewhere(_ repository: String, _ backup: String, _ truth: ShardedFingerprint) async throws {
        let backend = "    local:\n      mountPath: \(repository)"
        try await withShardedRig("e2e-sharded-other", members: 1, repository: backend) { other in
            let restore = try await other.deployment.remora(
                "restore",
                "shop",
                "--from",
                backup,
                "--map",
                "rsA=rsB",
                "--map",
                "rsB=rsA",
                "--wait"
            )
            try #require(restore.status.succeeded, "\(restore.text)\(restore.errorText)")
            let differences = try await withoutBank(other.cluster).withoutRemoraUser().differences(
                from: truth.withoutRemoraUser().withShardsSwapped()
            )
            #expect(differences.isEmpty, "\(differences)")
            // Each counter is written behind that of the shard before it, and the shards are the other way round here.
            let shards = Array(other.cluster.shardNames.reversed())
            let contradictions = try await BankWorkload.contradictions(in: other.cluster, shards: shards)
            #expect(contradictions == [])
            #expect(try await other.cluster.balancerStatus().mode == "full")
        }
    }
}

/// Runs a test on a cluster of two shards, with agents and a coordinator; a failure shows what everybody said.
func withShardedRig(
    _ name: String,
    members: Int = 3,
    repository: String? = nil,
    configuration: String = "",
    storageSecret: [String: String] = [:],
    coordinatorArguments: [String] = [],
    _ body: (ShardedDeployment) async throws -> Void
) async throws {
    try await withTestDirectory(name) { directory in
        let cluster = try await ShardedCluster.start(ShardedClusterOptions(shards: 2, members: members), in: directory)
        let sharded = try await ShardedDeployment.start(
            beside: cluster,
            in: directory,
            repository: repository,
            configuration: configuration,
            storageSecret: storageSecret,
            coordinatorArguments: coordinatorArguments
        )
        do {
            try await body(sharded)
        } catch {
            let logs = sharded.logs()
            await sharded.stop()
            await cluster.kill()
            throw TestSupportError("\(error)\n\(logs)")
        }
        await sharded.stop()
        await cluster.kill()
    }
}
