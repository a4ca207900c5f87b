import BackupModel

/// Everything that a look at a member or a backup can fail with: a stable code and one sentence each.
enum MongoDBFailure {
    static func unreachable(_ host: String, _ reason: String) -> JobFailure {
        let reason = plain(reason, host: host)
        let hint =
            reason.contains("resolve")
            ? "check the host name and the name service" : "check that mongod runs and listens there"
        return JobFailure(
            code: "databaseUnreachable",
            message: "can't reach MongoDB at \(host): \(reason); \(hint)",
            isRetryable: true
        )
    }

    /// What libmongoc says, without the host that the sentence names already and without its options' names.
    private static func plain(_ reason: String, host: String) -> String {
        var text = Substring(reason)
        if text.hasPrefix("\(host): ") { text = text.dropFirst(host.count + 2) }
        for wrapping in ["No suitable servers found (`serverSelectionTryOnce` set): [", "No suitable servers found: ["]
        where text.hasPrefix(wrapping) && text.hasSuffix("]") {
            text = text.dropFirst(wrapping.count).dropLast()
        }
        return String(text)
    }

    static func authentication(_ host: String) -> JobFailure {
        JobFailure(
            code: "authenticationFailed",
            message: "MongoDB at \(host) refuses the log-in: check user name, password and authentication database",
            isRetryable: false
        )
    }

    static func configuration(_ reason: String) -> JobFailure {
        JobFailure(code: "badConfiguration", message: "can't use the MongoDB settings: \(reason)", isRetryable: false)
    }

    static func missingPrivileges(_ host: String, _ missing: [String]) -> JobFailure {
        JobFailure(
            code: "missingPrivilege",
            message: "the MongoDB user may not do on \(host) what a backup needs: \(missing.joined(separator: "; "))",
            isRetryable: false
        )
    }

    static func unsupportedVersion(_ host: String, _ version: String) -> JobFailure {
        JobFailure(
            code: "unsupportedVersion",
            message: "MongoDB at \(host) is version \(version); supported are 5.0 to 8.0",
            isRetryable: false
        )
    }

    static func unsupported(_ sentence: String) -> JobFailure {
        JobFailure(code: "unsupported", message: sentence, isRetryable: false)
    }

    static func badSpec(_ sentence: String) -> JobFailure {
        JobFailure(code: "badSpec", message: sentence, isRetryable: false)
    }

    static func notUsable(_ host: String, _ reason: String) -> JobFailure {
        JobFailure(code: "memberNotUsable", message: "can't back up \(host) now: \(reason)", isRetryable: true)
    }

    static func notLockable(_ host: String, _ reason: String) -> JobFailure {
        JobFailure(code: "notLockable", message: "can't lock \(host): \(reason)", isRetryable: true)
    }

    static func foreignLock(_ host: String, _ detail: String) -> JobFailure {
        JobFailure(
            code: "foreignLock",
            message: "\(host) is locked by somebody else (\(detail)); it was left alone:"
                + " release it with db.fsyncUnlock() if nobody needs it",
            isRetryable: true
        )
    }

    static func lockFailed(_ host: String, _ reason: String) -> JobFailure {
        JobFailure(code: "lockFailed", message: "could not lock \(host): \(reason)", isRetryable: true)
    }

    static func unlockFailed(_ host: String, _ reason: String) -> JobFailure {
        JobFailure(
            code: "unlockFailed",
            message: "could not make sure that \(host) is unlocked: \(reason); run db.fsyncUnlock() on it",
            isRetryable: true
        )
    }

    static func oplogOverflow(_ host: String, _ detail: String) -> JobFailure {
        JobFailure(
            code: "oplogOverflow",
            message: "the oplog of \(host) no longer reaches back to the start of the dump (\(detail)):"
                + " enlarge it with replSetResizeOplog, or back up at a quieter hour",
            isRetryable: true
        )
    }

    static func schemaChanged(_ what: String) -> JobFailure {
        JobFailure(
            code: "schemaChanged",
            message: "the dump can't be made exact because the schema kept changing while it was read: \(what)",
            isRetryable: true
        )
    }

    static func rolledBack(_ host: String) -> JobFailure {
        JobFailure(
            code: "rolledBack",
            message: "\(host) rolled back operations while it was dumped, so the dump is not to be trusted",
            isRetryable: true
        )
    }

    static func notMajorityCommitted(_ host: String, _ point: ClusterTime) -> JobFailure {
        JobFailure(
            code: "notMajorityCommitted",
            message: "the majority of the set did not confirm \(point), the newest operation in the dump of \(host)",
            isRetryable: true
        )
    }

    static func balancerBusy(_ configServer: String, _ reason: String) -> JobFailure {
        JobFailure(
            code: "balancerBusy",
            message: "the balancer of \(configServer) could not be made idle: \(reason); try again when it rests",
            isRetryable: true
        )
    }

    static func balancerStuck(_ configServer: String, _ reason: String) -> JobFailure {
        JobFailure(
            code: "balancerStuck",
            message: "could not make sure that the balancer of \(configServer) is on again: \(reason);"
                + " run sh.startBalancer() on the cluster",
            isRetryable: true
        )
    }

    static func layoutChanged(_ host: String, _ what: String) -> JobFailure {
        JobFailure(
            code: "layoutChanged",
            message: "the cluster changed its layout while it was backed up (\(what), seen on \(host)):"
                + " back up again when that is done",
            isRetryable: true
        )
    }

    static func wrongGroup(_ host: String, _ reason: String) -> JobFailure {
        JobFailure(
            code: "wrongGroup",
            message: "\(host) can't take the part that the session gives it: \(reason);"
                + " check which agents belong to the target",
            isRetryable: true
        )
    }

    static func cutNotReached(_ host: String, _ point: ClusterTime, _ reason: String) -> JobFailure {
        JobFailure(
            code: "cutNotReached",
            message: "the group of \(host) did not reach the cluster's cut \(point): \(reason)",
            isRetryable: true
        )
    }

    static func failed(_ what: String, _ error: MongoError, host: String) -> JobFailure {
        switch error.kind {
        case .unreachable, .connection: unreachable(host, error.message)
        case .authentication: authentication(host)
        case .configuration: configuration(error.message)
        case .server where error.code == MongoError.ServerCode.unauthorized:
            missingPrivileges(host, ["\(what): \(error.message)"])
        case .server, .badReply:
            JobFailure(code: "databaseError", message: "\(what) failed on \(host): \(error)", isRetryable: true)
        }
    }
}
