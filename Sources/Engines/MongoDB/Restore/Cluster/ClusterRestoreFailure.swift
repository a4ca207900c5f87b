import BackupModel

/// What a part in the restore of a whole cluster can fail with besides.
enum ClusterRestoreFailure {
    /// The target is another cluster than the session takes it for.
    static func topology(_ sentence: String) -> JobFailure {
        JobFailure(code: "wrongTopology", message: "can't restore the cluster: \(sentence)", isRetryable: false)
    }

    /// A shard of the backup has no counterpart.
    static func unmapped(_ name: String, _ what: String) -> JobFailure {
        topology("the backup's shard \(name), which holds \(what), is mapped to no shard of the target")
    }

    /// The routing table holds something and nobody said that it may go.
    static func notEmpty(_ host: String, _ found: [String]) -> JobFailure {
        JobFailure(
            code: "targetNotEmpty",
            message: "can't restore the cluster: the routing table of \(host) has the databases "
                + "\(found.prefix(10).joined(separator: ", "))\(found.count > 10 ? ", …" : "") already. Restore elsewhere, "
                + "or with conflict DropCollections, which drops the databases that the backup has",
            isRetryable: false
        )
    }

    /// Somebody changes the cluster while it is restored.
    static func disturbed(_ sentence: String) -> JobFailure {
        JobFailure(
            code: "targetChanged",
            message: "\(sentence) while the cluster was restored: keep applications away until it is done",
            isRetryable: false
        )
    }

    /// The user of the agent lacks what only a whole cluster needs.
    static func missingPrivilege(_ users: [String], _ what: [String]) -> JobFailure {
        RestoreFailure.missingPrivilege(
            "can't restore the cluster: \(users.joined(separator: ", ")) may not \(what.joined(separator: "; ")): give "
                + "that user a role with it, see docs/how-to/give-mongodb-privileges.md"
        )
    }
}
