import Foundation

/// One member of a set that is to be started.
public struct ReplicaSetMember: Sendable {
    /// 0 never becomes primary.
    public var priority = 1.0
    /// 0 or 1.
    public var votes = 1
    /// Invisible to clients; needs priority 0.
    public var isHidden = false
    /// Seconds that it stays behind; needs priority 0.
    public var delaySeconds = 0
    /// Votes, and holds no data.
    public var isArbiter = false
    /// `--setParameter`s of this member alone.
    public var parameters: [String: String] = [:]
    /// Where it is; nil is where `ReplicaSetOptions.mongo` says.
    public var place: MongoPlace?

    /// An ordinary member.
    public init() {}

    /// A member that can't become primary, which is what a backup likes best.
    public static var hidden: ReplicaSetMember {
        var member = ReplicaSetMember()
        member.priority = 0
        member.isHidden = true
        return member
    }
}

/// How a replica set is started.
public struct ReplicaSetOptions: Sendable {
    /// Its name.
    public var name = "rs0"
    /// Its members; the first one that may be is elected first.
    public var members = [ReplicaSetMember(), ReplicaSetMember(), ReplicaSetMember()]
    /// How every member is started.
    public var mongo = MongoOptions.authenticated
    /// How long the others wait for a lost primary; MongoDB's own default is 10 000.
    ///
    /// On a busy machine a second is so little that healthy primaries are voted out.
    public var electionTimeoutMilliseconds = 5000
    /// Time between heartbeats; MongoDB's own default is 2000.
    public var heartbeatMilliseconds = 500
    /// Makes it the config servers of a sharded cluster; its members need `--configsvr` as well.
    public var isConfigServer = false
    /// The keyfile's content, where several sets share one; made anew for each set otherwise.
    public var keyFileSecret: String?

    /// Three ordinary members with keyfile and log-ins.
    public init() {}

    /// A set of `count` ordinary members with keyfile and log-ins.
    public init(members count: Int) {
        members = Array(repeating: ReplicaSetMember(), count: count)
    }
}

/// A real replica set on loopback.
public final class ReplicaSet: Sendable {
    /// How it was started.
    public let options: ReplicaSetOptions
    /// Its members, in the order of the options.
    public let members: [MongoServer]
    private let keyFile: String?
    /// The members' own user, whose password is the keyfile's content: needed before there are other users, and for what
    /// servers alone may ask of each other; `nil` without log-ins.
    public let systemUser: MongoUser?

    /// Starts the members, initiates the set and waits until it has a primary, users and secondaries in sync.
    public static func start(
        _ options: ReplicaSetOptions = ReplicaSetOptions(),
        in directory: TestDirectory
    ) async throws -> ReplicaSet {
        let set = try ReplicaSet(options, directory)
        try await set.startMembers()
        try await set.initiate()
        return set
    }

    private init(_ options: ReplicaSetOptions, _ directory: TestDirectory) throws {
        self.options = options
        if options.mongo.isAuthenticated {
            let secret = options.keyFileSecret ?? Self.makeKeyFileSecret()
            keyFile = try directory.write(secret, to: "\(options.name)-\(UInt32.random(in: .min ... .max)).key")
            systemUser = MongoUser("__system", password: secret, database: "local", mechanism: "SCRAM-SHA-256")
        } else {
            keyFile = nil
            systemUser = nil
        }
        let keyFile = keyFile
        members = try options.members.enumerated().map { index, member in
            var mongo = options.mongo
            mongo.parameters.merge(member.parameters) { $1 }
            mongo.place = member.place ?? mongo.place
            return try MongoServer(
                name: "\(options.name)-\(index)",
                replicaSet: options.name,
                options: mongo,
                keyFile: keyFile,
                directory: directory
            )
        }
    }

    /// Something that is no secret elsewhere, for a keyfile.
    static func makeKeyFileSecret() -> String {
        (0..<64).map { _ in String(UnicodeScalar(UInt8.random(in: 97...122))) }.joined()
    }

    private func startMembers() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for member in members { group.addTask { try await member.start() } }
            try await group.waitForAll()
        }
    }

    private func initiate() async throws {
        let first = members[0]
        let system = try first.client(as: systemUser)
        try await system.command(#"{"replSetInitiate": \#(configurationJSON)}"#)
        // Asks for an election instead of waiting for the election timeout: saves many seconds.
        try await eventually("\(options.name) elects a primary") {
            if try await first.hello()["isWritablePrimary"]?.bool == true { return true }
            if options.members[0].priority > 0 {
                // Refused until the others know the configuration; asked again until then.
                _ = try? await system.command(#"{"replSetStepUp": 1, "skipDryRun": true}"#)
            }
            return try await findPrimary() != nil
        }
        if options.mongo.isAuthenticated {
            let primary = try await primary()
            try await primary.client(as: systemUser).command(MongoUser.adminCommand)
            try await primary.makeRemoraUser()
        }
        try await waitUntilInSync()
    }

    private var configurationJSON: String {
        let list = zip(options.members, members).enumerated().map { index, pair in
            let (member, server) = pair
            return """
                {"_id": \(index), "host": "\(server.address)", "priority": \(member.priority), "votes": \(member.votes),
                 "hidden": \(member.isHidden), "secondaryDelaySecs": \(member.delaySeconds),
                 "arbiterOnly": \(member.isArbiter)}
                """
        }
        return """
            {"_id": "\(options.name)", \(options.isConfigServer ? "\"configsvr\": true, " : "")"members": [\(list.joined(separator: ","))], "settings": {
             "electionTimeoutMillis": \(options.electionTimeoutMilliseconds),
             "heartbeatIntervalMillis": \(options.heartbeatMilliseconds), "catchUpTimeoutMillis": 2000}}
            """
    }

    /// The primary at this moment, if there is one.
    public func findPrimary() async throws -> MongoServer? {
        for member in members where member.server.isRunning {
            // A member that doesn't answer is not the primary.
            if let hello = try? await member.hello(), hello["isWritablePrimary"]?.bool == true { return member }
        }
        return nil
    }

    /// Makes the primary step down and waits until another member is the primary.
    public func stepDown() async throws {
        let old = try await primary()
        // The answer may be lost with the connection; that it steps down is waited for.
        _ = try? await old.client(as: systemUser).command(#"{"replSetStepDown": 30, "force": true}"#)
        try await eventually("\(options.name) has another primary", within: .seconds(60)) {
            try await findPrimary().map { $0 !== old } ?? false
        }
    }

    /// Waits until there is a primary.
    public func primary() async throws -> MongoServer {
        try await eventually("\(options.name) has a primary") { try await findPrimary() }
    }

    /// The members that are secondaries at this moment.
    public func secondaries() async throws -> [MongoServer] {
        var result: [MongoServer] = []
        for member in members where member.server.isRunning {
            // A member that doesn't answer is not a secondary.
            if let hello = try? await member.hello(), hello["secondary"]?.bool == true { result.append(member) }
        }
        return result
    }

    /// `replSetGetStatus`, as the primary sees it.
    public func status() async throws -> TestDocument {
        try await primary().client().command(#"{"replSetGetStatus": 1}"#)
    }

    /// Waits until every running member that holds data and isn't delayed has all that the primary has now.
    public func waitUntilInSync() async throws {
        let primary = try await primary()
        let goal = try await appliedTime(of: primary)
        for (member, wanted) in zip(members, options.members)
        where member.server.isRunning && !wanted.isArbiter && wanted.delaySeconds == 0 {
            try await eventually("\(member.address) has caught up with \(primary.address)") {
                try await appliedTime(of: member) >= goal
            }
        }
    }

    private func appliedTime(of member: MongoServer) async throws -> UInt64 {
        let status = try await member.client(as: systemUser).command(#"{"replSetGetStatus": 1}"#)
        let state = status["myState"]?.int ?? 0
        guard state == 1 || state == 2 else { throw TestSupportError("\(member.address) is in state \(state)") }
        return status["optimes.appliedOpTime.ts"]?.timestamp ?? 0
    }

    /// A connection string for the whole set: writes find the primary.
    public func uri(as user: MongoUser? = .admin) -> String {
        connectionString(
            hosts: members.map(\.address).joined(separator: ","),
            user: user,
            options: ["replicaSet=\(options.name)"],
            server: options.mongo
        )
    }

    /// A client of the whole set.
    public func client(as user: MongoUser? = .admin) throws -> MongoClient {
        try MongoClient(uri(as: user))
    }

    /// Ends all members at once, as crashes do: their data goes away with the test.
    public func kill() async {
        for member in members { await member.kill() }
    }

    /// Ends all members cleanly, secondaries first, for a restart.
    public func stop() async throws {
        let primary = try await findPrimary()
        for member in members where member !== primary { await member.stop() }
        await primary?.stop()
    }
}
