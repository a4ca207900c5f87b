import BackupModel

/// What became of every transaction that has more than one entry, learnt by reading the oplog once before it is applied.
///
/// The server keeps others away from what a transaction touched until it ended, so its operations may be applied at
/// the place of their own entry once it is known that it was committed. Nothing has to be kept in memory for that.
///
/// A transaction over several shards is prepared on each, gets one commit timestamp, and is then committed by an entry
/// of its own on each shard at any later time. So whether it had happened at the cut is decided by that timestamp, which
/// is the same everywhere: whole on all shards, or on none, wherever the entries lie.
struct TransactionLedger: Sendable {
    private enum Fate {
        case open, prepared, committed, aborted
    }

    private var fates: [[UInt8]: Fate] = [:]
    private let cut: ClusterTime?

    /// Nothing known yet; what was committed after `cut` will not have happened.
    init(cut: ClusterTime? = nil) { self.cut = cut }

    /// Transactions that neither end nor are aborted in the oplog: they had not happened at the cut.
    var unfinished: Int { fates.values.count { $0 == .open || $0 == .prepared } }
    /// Transactions of several entries that were committed.
    var committed: Int { fates.values.count { $0 == .committed } }

    /// Takes note of an entry.
    ///
    /// - Throws: `RestoreFailure` when the beginning of a transaction is not in the oplog.
    mutating func note(_ entry: OplogEntry, _ command: OplogCommand) throws {
        guard let transaction = entry.transaction else { return }
        let time = entry.operation.time
        let id = transaction.id
        switch command {
        case .operations(let operations):
            if transaction.hasPrevious && fates[id] == nil { throw headMissing(time) }
            if operations.isPrepared {
                fates[id] = .prepared
            } else if operations.isPartial {
                fates[id] = .open
            } else if fates[id] != nil {
                fates[id] = .committed
            }
        case .commitTransaction(let committed):
            if let cut, committed ?? time > cut {
                if fates[id] != nil { fates[id] = .open }
                return
            }
            guard fates[id] != nil else { throw headMissing(time) }
            fates[id] = .committed
        case .abortTransaction:
            // One that was prepared before the oplog begins: nothing of it is in the data.
            fates[id] = .aborted
        default: break
        }
    }

    /// Whether the operations of this entry happened.
    func happened(_ entry: OplogEntry) -> Bool {
        guard let transaction = entry.transaction, let fate = fates[transaction.id] else { return true }
        return fate == .committed
    }

    private func headMissing(_ time: ClusterTime) -> JobFailure {
        RestoreFailure.badOplog(
            "the transaction that ends at \(time) began before the stored oplog, so a part of it is missing"
        )
    }
}
