/// Every way in which `remora` can end: the one table that the program, `remora exit-codes` and
/// `docs/reference/exit-codes.md` share.
struct ExitStatus: Sendable, Hashable {
    /// The process's exit code.
    let code: Int32
    /// A stable word for programs.
    let name: String
    /// What it means.
    let meaning: String
    /// What a person does next.
    let advice: String
    /// Codes of failed jobs that end a waiting command this way.
    var jobFailures: [String] = []

    static let succeeded = ExitStatus(
        code: 0,
        name: "ok",
        meaning: "What was asked for is done. With --wait or --follow: the session succeeded.",
        advice: "Nothing."
    )
    static let failed = ExitStatus(
        code: 1,
        name: "failed",
        meaning: "It was tried and failed; the message says why. With --wait or --follow: the session failed.",
        advice: "Read the message and its hint; for a session: `remora describe SESSION`."
    )
    static let usage = ExitStatus(
        code: 2,
        name: "usage",
        meaning: "The command line or a setting makes no sense. Nothing was done.",
        advice: "`remora help COMMAND`.",
        jobFailures: ["badSelection", "badSpec", "badConfiguration"]
    )
    static let cancelled = ExitStatus(
        code: 3,
        name: "cancelled",
        meaning: "It was cancelled, by a person or a signal. Locks are released and nothing was published.",
        advice: "Run it again when it suits.",
        jobFailures: ["cancelled"]
    )
    static let unreachable = ExitStatus(
        code: 4,
        name: "unreachable",
        meaning: "The coordinator does not answer, or what answers is no coordinator.",
        advice:
            "Check that it runs, and --coordinator (REMORA_COORDINATOR) and --ca-file (REMORA_CA_FILE); in Kubernetes: `kubectl remora doctor`."
    )
    static let unauthorized = ExitStatus(
        code: 5,
        name: "unauthorized",
        meaning: "The coordinator does not accept the token, or needs one for this.",
        advice: "Give --token-file (REMORA_TOKEN_FILE): the file admin.token in the coordinator's state directory."
    )
    static let notFound = ExitStatus(
        code: 6,
        name: "notFound",
        meaning: "There is no such session, configuration, target, snapshot or file.",
        advice:
            "`remora status`, `remora sessions`, `remora snapshots` and `remora repo snapshots` list what there is.",
        jobFailures: ["backupNotFound"]
    )
    static let refused = ExitStatus(
        code: 7,
        name: "refused",
        meaning:
            "It would have done harm or makes no sense now: the target is not empty or not what the backup fits, a "
            + "cluster is being changed, the session is over.",
        advice: "Read the message. A restore over existing collections needs --drop.",
        jobFailures: [
            "targetNotEmpty", "unsupported", "unsupportedVersion", "unsuitableServer", "unsupportedTopology",
            "unsupportedConsistency", "wrongGroup", "wrongTopology", "balancerBusy", "layoutChanged",
        ]
    )
    static let wrongPassword = ExitStatus(
        code: 8,
        name: "wrongPassword",
        meaning: "The repository does not open with this password.",
        advice: "Give the password the repository was made with (--password-file, REMORA_PASSWORD).",
        jobFailures: ["wrongPassword"]
    )
    static let notARepository = ExitStatus(
        code: 9,
        name: "notARepository",
        meaning: "There is no repository there, or one of a version that this program does not know.",
        advice: "Check --repository; groups are at PREFIX/NAMESPACE/TARGET/GROUP.",
        jobFailures: ["notARepository", "unsupportedRepository"]
    )
    static let damaged = ExitStatus(
        code: 10,
        name: "damaged",
        meaning: "Stored data is missing or not what was written, or does not fit the backup's own numbers.",
        advice: "`remora repo check --read-data` names what is affected; other snapshots may be whole.",
        jobFailures: [
            "repositoryDamaged", "snapshotIncomplete", "damagedSnapshot", "notADump", "verificationFailed",
            "targetChanged",
        ]
    )
    static let locked = ExitStatus(
        code: 11,
        name: "locked",
        meaning: "Somebody holds a lock on the repository, or a foreign lock is on the database.",
        advice: "Wait for its holder. If it is gone: `restic unlock`, or db.fsyncUnlock() for the database.",
        jobFailures: ["repositoryLocked", "foreignLock"]
    )
    static let storage = ExitStatus(
        code: 12,
        name: "storage",
        meaning: "The object store or disk can't be reached, refuses us, or is full.",
        advice: "Check the location, its credentials and its free space.",
        jobFailures: [
            "storageUnavailable", "storageFull", "storageAccessDenied", "storageNotFound", "storageConfiguration",
            "storage",
        ]
    )
    static let database = ExitStatus(
        code: 13,
        name: "database",
        meaning: "The database can't be reached, refuses the log-in, or the user lacks a privilege.",
        advice: "Check that it runs, its address, user and password, and the roles the message names.",
        jobFailures: [
            "databaseUnreachable", "authenticationFailed", "missingPrivilege", "noPrimary", "primaryLost",
            "cutNotReached", "balancerStuck",
        ]
    )
    static let kubernetes = ExitStatus(
        code: 14,
        name: "kubernetes",
        meaning:
            "The Kubernetes API can't be reached or refuses, something that Remora installs is not there, or kubectl is not.",
        advice: "Read the message. `kubectl remora doctor` says what else is wrong, and how to mend it."
    )
    static let stoppedWatching = ExitStatus(
        code: 130,
        name: "stoppedWatching",
        meaning: "The command was told to stop (Ctrl-C) while it waited. The session goes on without it.",
        advice: "`remora describe SESSION` shows how it goes, `remora cancel SESSION` stops it."
    )
    static let brokenPipe = ExitStatus(
        code: 141,
        name: "brokenPipe",
        meaning: "The program that read our output has gone.",
        advice: "Nothing, if that was meant (`| head`)."
    )

    /// All of them, by code.
    static let all = [
        succeeded, failed, usage, cancelled, unreachable, unauthorized, notFound, refused, wrongPassword,
        notARepository, damaged, locked, storage, database, kubernetes, stoppedWatching, brokenPipe,
    ]

    /// How a command ends that waited for a job or session with this failure code (a session's reason is the same word
    /// with a capital).
    static func ofJobFailure(_ code: String) -> ExitStatus {
        let word = code.prefix(1).lowercased() + code.dropFirst()
        return all.first { $0.jobFailures.contains(word) } ?? .failed
    }

    /// `docs/reference/exit-codes.md`.
    static let markdown: String = {
        var text = """
            # Exit codes of `remora`

            Made from `Sources/RemoraCLI/ExitStatus.swift` by `remora exit-codes --markdown`.

            | code | name | meaning | what to do |
            | ---: | --- | --- | --- |

            """
        for status in all {
            text += "| \(status.code) | `\(status.name)` | \(status.meaning) | \(status.advice) |\n"
        }
        text +=
            "\nA command that waits for a session (`--wait`, `--follow`) ends with the code of what ended the session:\n\n"
        text += "| failure of a job | code |\n| --- | ---: |\n"
        for status in all {
            for failure in status.jobFailures { text += "| `\(failure)` | \(status.code) |\n" }
        }
        return text + "| any other | \(failed.code) |\n"
    }()
}
