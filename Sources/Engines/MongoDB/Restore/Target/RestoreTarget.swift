import BSON
import BackupModel

/// The member that is written to, and what must not change while it is.
struct RestoreTarget: Sendable, Hashable {
    /// `host:port` of the primary or standalone.
    var host: String
    /// The replica set's name; nil for a standalone.
    var setName: String?
    /// The server's version.
    var version: ServerVersion
    /// The feature compatibility version; nil when we may not ask.
    var featureVersion: ServerVersion?
    /// Which reign of which process this is: another value means that what was acknowledged may be gone.
    var reign: String

    /// Finds who takes writes, waiting a while for a primary to be elected.
    static func find(
        _ configuration: MongoDBConfiguration,
        context: any JobContext,
        patience: Duration = .seconds(30)
    ) async throws -> RestoreTarget {
        let local = try MongoConnection(configuration)
        let deadline = ContinuousClock.now + patience
        var hasWaited = false
        var reason = ""
        while true {
            try Task.checkCancellation()
            do {
                if let target = try await look(local, configuration, &reason) { return target }
            } catch let error as MongoError where isWorthWaiting(error) && ContinuousClock.now < deadline {
                reason = "\(error)"
            } catch let error as MongoError {
                throw RestoreFailure.database(error, "connect to \(local.host)")
            }
            guard ContinuousClock.now < deadline else {
                throw RestoreFailure.noPrimary(
                    "the group of \(local.host) has had no primary for \(patience.components.seconds) s (\(reason)): "
                        + "see to the replica set first"
                )
            }
            if !hasWaited { context.log(.info, "restore", "waiting for the group of \(local.host) to have a primary") }
            hasWaited = true
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    private static func isWorthWaiting(_ error: MongoError) -> Bool {
        error.kind == .unreachable || error.kind == .connection
    }

    private static func look(
        _ local: MongoConnection,
        _ configuration: MongoDBConfiguration,
        _ reason: inout String
    ) async throws -> RestoreTarget? {
        let hello = try await local.command("admin", ["hello": 1])
        if hello["msg"]?.string == "isdbgrid" {
            throw RestoreFailure.unsuitableServer(
                "\(local.host) is a mongos: give the agent a member of each shard and of the config servers instead"
            )
        }
        if hello["isWritablePrimary"]?.truth == true { return try await inspect(local, hello) }
        guard hello["setName"] != nil else {
            reason = "\(local.host) is not a member of an initiated replica set, and takes no writes"
            return nil
        }
        guard let primary = hello["primary"]?.string else {
            reason = "\(local.host) knows of no primary"
            return nil
        }
        let remote = try MongoConnection(configuration, host: primary)
        let answer = try await remote.command("admin", ["hello": 1])
        guard answer["isWritablePrimary"]?.truth == true else {
            reason = "\(primary) is not the primary any more"
            return nil
        }
        return try await inspect(remote, answer)
    }

    private static func inspect(_ connection: MongoConnection, _ hello: BSONDocument) async throws -> RestoreTarget {
        let build = try await connection.command("admin", ["buildInfo": 1])
        guard let text = build["version"]?.string, let version = ServerVersion(text) else {
            throw RestoreFailure.unsuitableServer("\(connection.host) doesn't tell its version")
        }
        return RestoreTarget(
            host: hello["setName"] == nil ? connection.host : hello["me"]?.string ?? connection.host,
            setName: hello["setName"]?.string,
            version: version,
            featureVersion: try await featureVersion(connection),
            reign: reign(hello)
        )
    }

    /// Only sharpens the check of versions: a user who may not ask (clusterMonitor may) restores all the same.
    private static func featureVersion(_ connection: MongoConnection) async throws(MongoError) -> ServerVersion? {
        do {
            let reply = try await connection.command("admin", ["getParameter": 1, "featureCompatibilityVersion": 1])
            return reply[path: "featureCompatibilityVersion", "version"]?.string.flatMap { ServerVersion($0) }
        } catch {
            if error.code == MongoError.ServerCode.unauthorized { return nil }
            throw error
        }
    }

    /// Process and election, as `hello` tells them.
    static func reign(_ hello: BSONDocument) -> String {
        let process = hello[path: "topologyVersion", "processId"].map { "\($0)" } ?? ""
        let election = hello["electionId"].map { "\($0)" } ?? ""
        return "\(process) \(election)"
    }

    /// Throws unless the member has been the primary all the time since it was found.
    func checkReign(_ connection: MongoConnection) async throws {
        let hello = try await connection.command("admin", ["hello": 1])
        guard hello["isWritablePrimary"]?.truth == true, Self.reign(hello) == reign else { throw lostReign }
    }

    /// What is to be said when another process or another election rules.
    var lostReign: JobFailure {
        JobFailure(
            code: "primaryLost",
            message: "\(host) was restarted or stepped down while it was being restored, so writes that it had "
                + "confirmed may be lost",
            isRetryable: false
        )
    }

    /// Throws unless the server can hold what a server of this version had.
    func checkTakes(version backup: ServerVersion?, featureVersion backupFeature: ServerVersion?) throws {
        guard version >= ServerVersion(major: 4, minor: 4, patch: 0) else {
            throw RestoreFailure.unsuitableServer(
                "\(host) runs MongoDB \(version), and Remora supports 4.4 and later: upgrade it first"
            )
        }
        if let backup, backup.release > version.release {
            throw RestoreFailure.unsuitableServer(
                "the backup was made of MongoDB \(backup), and \(host) runs \(version), which is older: "
                    + "restore into \(backup.release) or later"
            )
        }
        if let backupFeature, let featureVersion, backupFeature.release > featureVersion.release {
            throw RestoreFailure.unsuitableServer(
                "the backup has feature compatibility version \(backupFeature.release), and \(host) has "
                    + "\(featureVersion.release): run setFeatureCompatibilityVersion \"\(backupFeature.release)\" there first"
            )
        }
    }
}

/// A MongoDB version, like 6.0.5.
struct ServerVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    var major: Int
    var minor: Int
    var patch: Int

    init(major: Int, minor: Int, patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads `6.0`, `6.0.5` or `6.0.5-rc1`.
    init?(_ text: String) {
        let numbers = text.split(separator: "-", maxSplits: 1).first?.split(separator: ".").map { Int($0) } ?? []
        guard numbers.count >= 2, let major = numbers[0], let minor = numbers[1] else { return nil }
        self.init(major: major, minor: minor, patch: numbers.count > 2 ? numbers[2] ?? 0 : 0)
    }

    /// Major and minor.
    var release: Release { Release(major: major, minor: minor) }

    /// Major and minor: what decides what data a server understands.
    struct Release: Sendable, Hashable, Comparable, CustomStringConvertible {
        var major: Int
        var minor: Int
        var description: String { "\(major).\(minor)" }
        static func < (left: Release, right: Release) -> Bool {
            (left.major, left.minor) < (right.major, right.minor)
        }
    }

    var description: String { "\(major).\(minor).\(patch)" }
    static func < (left: ServerVersion, right: ServerVersion) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }
}
