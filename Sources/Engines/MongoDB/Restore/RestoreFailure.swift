import BackupModel

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
}
