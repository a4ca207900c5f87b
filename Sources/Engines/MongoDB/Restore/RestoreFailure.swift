import BackupModel
import Repository

/// Everything that a restore can fail with, as the job's failure: a stable code and one sentence.
enum RestoreFailure {
    /// A selection or rename that can't be understood or carried out.
    static func badSelection(_ sentence: String) -> JobFailure {
        JobFailure(code: "badSelection", message: "can't restore: \(sentence)", isRetryable: false)
    }

    /// The snapshot isn't a dump of this engine.
    static func notADump(_ reason: String) -> JobFailure {
        JobFailure(
            code: "notADump",
            message: "can't restore: the snapshot is not a mongodump directory: \(reason)",
            isRetryable: false
        )
    }

    /// The snapshot was made with `mongodump --gzip`.
    static func compressedDump(_ path: String) -> JobFailure {
        JobFailure(
            code: "notADump",
            message: "can't restore: \(path) was written by mongodump --gzip, which is not supported: "
                + "restore the files with restic and load them with mongorestore --gzip",
            isRetryable: false
        )
    }

    /// A file of the snapshot is missing, unreadable or not what it must be.
    static func damagedSnapshot(_ sentence: String) -> JobFailure {
        JobFailure(code: "damagedSnapshot", message: "can't restore: \(sentence)", isRetryable: false)
    }

    /// The snapshot, or a part of it, can't be read: storage that is away or refuses us is no damage, and must not be
    /// taken for it.
    static func unreadable(_ error: RepositoryError, _ what: String = "the snapshot") -> JobFailure {
        guard error.code == .storage else { return damagedSnapshot("\(what) can't be read: \(error)") }
        return JobFailure(
            code: error.failureCode ?? error.code.description,
            message: "can't restore: \(what) can't be read now: \(error)",
            isRetryable: error.mayPass
        )
    }
}

extension RestoreFailure {
    /// The oplog in the snapshot can't be applied.
    static func badOplog(_ sentence: String) -> JobFailure {
        JobFailure(code: "badOplog", message: "can't apply the oplog of the snapshot: \(sentence)", isRetryable: false)
    }
}

extension RestoreFailure {
    /// The target holds something and nobody said that it may go.
    static func targetNotEmpty(_ host: String, _ found: [Namespace]) -> JobFailure {
        let some = found.prefix(10).map(\.description).joined(separator: ", ")
        return JobFailure(
            code: "targetNotEmpty",
            message:
                "can't restore into \(host): \(found.count == 1 ? "a collection is" : "\(found.count) collections are") "
                + "there already: \(some)\(found.count > 10 ? ", …" : ""). Restore elsewhere, or let the "
                + "collections that the backup has be dropped (--drop; in an object: conflict DropCollections)",
            isRetryable: false
        )
    }

    /// The server can't hold what the backup has.
    static func unsuitableServer(_ sentence: String) -> JobFailure {
        JobFailure(code: "unsuitableServer", message: "can't restore: \(sentence)", isRetryable: false)
    }

    /// Nobody in the group can be written to.
    static func noPrimary(_ sentence: String) -> JobFailure {
        JobFailure(code: "noPrimary", message: "can't restore: \(sentence)", isRetryable: true)
    }

    /// The user of the agent may not do what a restore does.
    static func missingPrivilege(_ sentence: String) -> JobFailure {
        JobFailure(code: "missingPrivilege", message: sentence, isRetryable: false)
    }

    /// What is there afterwards is not what the backup has.
    static func verification(_ sentence: String) -> JobFailure {
        JobFailure(code: "verificationFailed", message: "the restore is not exact: \(sentence)", isRetryable: false)
    }

    /// The server refused to write.
    static func rejected(_ sentence: String) -> JobFailure {
        JobFailure(code: "writeRejected", message: sentence, isRetryable: false)
    }

    /// A MongoDB error, said with what was attempted.
    static func database(_ error: MongoError, _ attempt: String) -> JobFailure {
        switch error.kind {
        case .server where error.code == MongoError.ServerCode.unauthorized:
            missingPrivilege(
                "not allowed to \(attempt): \(error); give the agent's user the roles backup, restore and "
                    + "readWriteAnyDatabase"
            )
        case .authentication:
            JobFailure(
                code: "authenticationFailed",
                message: "can't \(attempt): \(error); check the user name, the password and authSource",
                isRetryable: false
            )
        case .unreachable, .connection:
            JobFailure(code: "databaseUnreachable", message: "can't \(attempt): \(error)", isRetryable: true)
        default:
            JobFailure(
                code: isLostPrimary(error) ? "primaryLost" : "databaseError",
                message: "can't \(attempt): \(error)",
                isRetryable: isLostPrimary(error)
            )
        }
    }

    /// Whether the server says that it is the primary no longer, or is going.
    static func isLostPrimary(_ error: MongoError) -> Bool { error.kind == .server && isLostPrimary(code: error.code) }

    /// Whether an error number means that: NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary,
    /// InterruptedAtShutdown, InterruptedDueToReplStateChange, PrimarySteppedDown, ShutdownInProgress.
    static func isLostPrimary(code: Int32) -> Bool { [10107, 13435, 13436, 11600, 11602, 189, 91].contains(code) }

    /// What is left behind by a restore that failed after it began to write.
    static func partial(_ cause: any Error, host: String) -> JobFailure {
        let failure =
            switch cause {
            case let failure as JobFailure: failure
            case let error as MongoError: database(error, "write to \(host)")
            case let error as RepositoryError: unreadable(error)
            case is CancellationError:
                JobFailure(code: "cancelled", message: "stopped in the middle", isRetryable: false)
            default: JobFailure(code: "restoreFailed", message: "\(cause)", isRetryable: false)
            }
        return JobFailure(
            code: failure.code,
            message:
                "\(failure.message). \(host) is partially restored: repeat the restore with --drop (conflict "
                + "DropCollections)",
            // A plain repetition would find a target that isn't empty.
            isRetryable: false
        )
    }
}
