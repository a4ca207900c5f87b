import Synchronization

/// A realistic and nasty data set: what a shop would have, and all that MongoDB allows and nobody expects.
///
/// Several databases; views, capped, time-series and clustered collections; every kind of index; every BSON type,
/// deprecated ones and names twice too; mixed types of `_id`; documents up to 15 MB; empty collections; odd names;
/// documents that break their validator; zero timestamps; users and roles. The same every time.
public struct DataSet: Sendable {
    /// Multiplies what is realistic; what is nasty stays as small as it is.
    public let factor: Double

    /// About 24 MB, for tests.
    public static let small = DataSet(factor: 1)
    /// About 187 MB, for the demonstration: 15 s on a set of three with 2 busy cores (21 CPU seconds).
    public static let demonstration = DataSet(factor: 60)

    /// A data set of another size: 20 MB, and 2.8 MB more for each 1 of `factor`.
    public init(factor: Double) {
        self.factor = factor
    }

    /// What was loaded.
    public struct Summary: Sendable {
        /// Databases with something of ours in them.
        public let databases: Int
        /// Collections and views.
        public let collections: Int
        /// Documents.
        public let documents: Int
        /// Bytes of BSON.
        public let bytes: Int
        /// Users and roles.
        public let usersAndRoles: Int
        /// How long it took.
        public let duration: Duration
    }

    /// Writes it into an empty server.
    ///
    /// - Parameters:
    ///   - uri: of the server or set, for somebody who may do everything.
    ///   - connections: how many write at the same time.
    /// - Returns: what was written.
    /// - Throws: `TestSupportError` naming the collection that could not be made.
    @discardableResult public func load(into uri: String, connections: Int = 3) async throws -> Summary {
        let clock = ContinuousClock()
        let begin = clock.now
        let plans = shopPlans() + archivePlans() + typePlans() + optionPlans() + namePlans()
        // The largest first: nobody waits for it in the end.
        let queue = PlanQueue(plans.sorted { $0.count > $1.count })
        let bytes = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<connections {
                group.addTask {
                    let client = try MongoClient(uri)
                    var total = 0
                    while let plan = queue.next() { total += try await plan.load(client) }
                    return total
                }
            }
            return try await group.reduce(0, +)
        }
        let people = try await loadUsersAndRoles(MongoClient(uri))
        return Summary(
            databases: Set(plans.map(\.database)).count,
            collections: plans.count,
            documents: plans.reduce(0) { $0 + $1.count },
            bytes: bytes,
            usersAndRoles: people,
            duration: clock.now - begin
        )
    }

    /// The databases that `load` writes to, `admin` left out.
    public var databases: [String] {
        Set((shopPlans() + archivePlans() + typePlans() + optionPlans() + namePlans()).map(\.database))
            .subtracting(["admin"]).sorted()
    }

    /// Drops all that `load` made: the disaster.
    ///
    /// - Parameter uri: as for `load`.
    /// - Throws: `MongoError` of the first thing that would not go.
    public static func drop(from uri: String) async throws {
        let client = try MongoClient(uri)
        let reply = try await client.command(#"{"listDatabases": 1, "nameOnly": true}"#)
        for name in (reply["databases"]?.documents ?? []).compactMap({ $0["name"]?.string }) {
            if ["admin", "local", "config"].contains(name) { continue }
            try await client.command(#"{"dropAllUsersFromDatabase": 1}"#, on: name)
            try await client.command(#"{"dropAllRolesFromDatabase": 1}"#, on: name)
            try await client.command(#"{"dropDatabase": 1}"#, on: name)
        }
        try await client.command(#"{"dropAllUsersFromDatabase": 1}"#, on: "$external")
        for (name, isRole) in adminNames {
            try await client.command(isRole ? #"{"dropRole": "\#(name)"}"# : #"{"dropUser": "\#(name)"}"#)
        }
        try await client.command(#"{"drop": "app settings"}"#)
    }

    func scaled(_ count: Int) -> Int { Int((Double(count) * factor).rounded(.up)) }
}

private final class PlanQueue: Sendable {
    private let plans: Mutex<ArraySlice<CollectionPlan>>

    init(_ plans: [CollectionPlan]) {
        self.plans = Mutex(plans[...])
    }

    func next() -> CollectionPlan? { plans.withLock { $0.popFirst() } }
}
