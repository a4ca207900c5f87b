import BSON

/// What the logged-in user may do, from `connectionStatus` with `showPrivileges`.
struct Privileges: Sendable {
    /// One thing that a backup needs to be allowed to do.
    struct Need: Sendable, Hashable {
        /// The server's name of the action.
        var action: String
        /// On the cluster, or on every database.
        var isOnCluster: Bool
        /// On this collection of `config` instead.
        var configCollection: String?
        /// A built-in role that brings it.
        var role: String
        /// What it is needed for.
        var purpose: String

        var description: String { "action \(action) (role \(role)) to \(purpose)" }
    }

    private struct Grant {
        var resource: BSONDocument
        var actions: Set<String>
    }

    private let grants: [Grant]
    /// False when the server doesn't ask who one is: then everything is allowed.
    let isRestricted: Bool

    init(_ connectionStatus: BSONDocument?) {
        let users = connectionStatus?[path: "authInfo", "authenticatedUsers"]?.array ?? []
        isRestricted = !users.isEmpty
        let list = connectionStatus?[path: "authInfo", "authenticatedUserPrivileges"]?.array ?? []
        grants = list.compactMap(\.document).map { grant in
            Grant(
                resource: grant["resource"]?.document ?? [:],
                actions: Set(grant["actions"]?.array?.compactMap(\.string) ?? [])
            )
        }
    }

    /// Those of `needs` that aren't granted.
    func missing(_ needs: [Need]) -> [Need] { isRestricted ? needs.filter { !allows($0) } : [] }

    private func allows(_ need: Need) -> Bool {
        grants.contains { grant in
            guard grant.actions.contains(need.action) || grant.actions.contains("anyAction") else { return false }
            if grant.resource["anyResource"]?.truth == true { return true }
            if let name = need.configCollection {
                guard grant.resource["cluster"] == nil, let database = grant.resource["db"]?.string,
                    let collection = grant.resource["collection"]?.string
                else { return false }
                // A grant on all collections of a database leaves out those of the system.
                return (database == "config" || database.isEmpty) && collection == name
            }
            if need.isOnCluster { return grant.resource["cluster"]?.truth == true }
            return grant.resource["db"]?.string == "" && grant.resource["collection"]?.string == ""
        }
    }

    /// For reading data and catalog.
    static let reading = [
        Need(action: "find", isOnCluster: false, role: "backup", purpose: "read every collection"),
        Need(action: "listCollections", isOnCluster: false, role: "backup", purpose: "list collections"),
        Need(action: "listIndexes", isOnCluster: false, role: "backup", purpose: "list indexes"),
        Need(action: "collStats", isOnCluster: false, role: "clusterMonitor", purpose: "read collection sizes"),
        Need(action: "listDatabases", isOnCluster: true, role: "backup", purpose: "list databases"),
        Need(action: "inprog", isOnCluster: true, role: "clusterMonitor", purpose: "see whether the member is locked"),
    ]

    /// For knowing a replica set's state.
    static let replication = [
        Need(action: "replSetGetStatus", isOnCluster: true, role: "clusterMonitor", purpose: "see the set's state"),
        Need(
            action: "replSetGetConfig",
            isOnCluster: true,
            role: "clusterMonitor",
            purpose: "see the set's configuration"
        ),
    ]

    /// For locking a member.
    static let locking = [
        Need(action: "fsync", isOnCluster: true, role: "hostManager", purpose: "lock the member"),
        Need(action: "unlock", isOnCluster: true, role: "hostManager", purpose: "unlock the member"),
    ]

    /// For a part in the backup of a sharded cluster.
    static let cluster = [
        Need(
            action: "appendOplogNote",
            isOnCluster: true,
            role: "backup",
            purpose: "bring an idle group to the cluster's cut"
        ),
        Need(
            action: "find",
            isOnCluster: false,
            configCollection: LayoutTracker.coordinators,
            role: "a custom one: find on {db: \"config\", collection: \"\(LayoutTracker.coordinators)\"}",
            purpose: "see changes of the cluster's layout that are under way"
        ),
    ]

    /// For anything on a shard that isn't asked through a router, from 8.0 on (MongoDB manual: Built-In Roles).
    static let direct = [
        Need(
            action: "issueDirectShardOperations",
            isOnCluster: true,
            role: "directShardOperations",
            purpose: "read a shard's member without a router"
        )
    ]

    /// For the balancer, on the config server.
    static let balancing = [
        Need(
            action: "internal",
            isOnCluster: true,
            role: "a custom one: internal on {cluster: true}",
            purpose: "stop and start the balancer (_configsvrBalancerStop, _configsvrBalancerStart)"
        )
    ]

    /// For locking a member that could be elected.
    static let freezing = [
        Need(
            action: "replSetStateChange",
            isOnCluster: true,
            role: "clusterManager",
            purpose: "keep the locked member out of elections (replSetFreeze)"
        )
    ]
}
