/// Numbers that tests make smaller and nobody else needs to change.
struct MongoDBTuning: Sendable {
    /// How long a lock may wait for open transactions: writes on the member wait behind it meanwhile.
    var lockAcquisition = Duration.seconds(20)
    /// How long a lock that was asked for and is no longer wanted is waited for, so that it can be undone.
    var lateLock = Duration.seconds(900)
    /// How often a locked member and its set are looked at.
    var watchInterval = Duration.milliseconds(500)
    /// How long a set with a locked member may be without a primary: two heartbeats (research: the set recovers
    /// within a second of the unlock, and its own election timeout is 10 s).
    var noPrimaryGrace = Duration.seconds(2)
    /// How long the locked member itself may fail to answer questions; a busy machine needs its time.
    var silenceGrace = Duration.seconds(10)
    /// How long the majority may take to confirm the cut.
    var majorityWait = Duration.seconds(120)
    /// How long an unlock is tried while the member can't be reached.
    ///
    /// Mostly it has died then, and the lock with it.
    /// The note stays for the next attempt.
    var unlockPatience = Duration.seconds(30)
    /// Least bytes of one partition of a collection.
    ///
    /// Neighbours read 8 MiB twice, so this keeps the waste at 6 %.
    var partitionBytes: Int64 = 128 << 20
    /// Bytes of documents in one batch: 0.5 to 1.5 MB cost the least on both sides, because a reply then fits into a
    /// core's own cache; with what is around them they fit into the 1 MiB that libmongoc takes.
    var batchBytes = 960 << 10
    /// Whether collections are scanned by record ids where the server does that; otherwise by `_id`.
    var usesRecordIDs = true
    /// How often a broken cursor is taken up again before the job fails.
    var cursorRetries = 5
    /// How often an unlocked dump is begun anew because of a change of the schema.
    var schemaRetries = 3
    /// How long a round of the balancer, or a migration, may take to end.
    var balancerWait = Duration.seconds(120)
    /// How long the config server may be without a primary before a question to it is given up.
    ///
    /// A balancer that can't be started within it keeps its note for the next attempt.
    var balancerPatience = Duration.seconds(60)
    /// How long a balancer stays off at most.
    var balancerLimit = Duration.seconds(24 * 3600)
    /// How long a change of the cluster's layout that is under way is waited for before the first step of a backup.
    var layoutWait = Duration.seconds(30)
    /// How long a shard waits for ranges that are to be deleted: they are read otherwise, and told in a warning.
    var rangeDeletionWait = Duration.seconds(20)
    /// How long a transaction that was prepared before the cut may stay undecided.
    var preparedWait = Duration.seconds(120)
    /// Called when everything that the lock protects begins, with the name of the step: tests stop the world there.
    var pause: @Sendable (String) async -> Void = { _ in }
}
