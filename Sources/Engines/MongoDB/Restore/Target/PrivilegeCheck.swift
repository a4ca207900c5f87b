import BSON
import BackupModel

/// What the logged-in user may do, compared with what a restore does, before it does anything.
struct PrivilegeCheck: Sendable {
    /// Names of the users this connection is logged in as, `name@database`; empty without log-ins.
    let users: [String]
    /// Their documents' ids in `admin.system.users`, `database.name`.
    let userIDs: Set<String>
    private let privileges: [(resource: BSONDocument, actions: Set<String>)]

    /// Asks the server.
    static func read(_ connection: MongoConnection) async throws -> PrivilegeCheck {
        let reply: BSONDocument
        do throws(MongoError) {
            reply = try await connection.command("admin", ["connectionStatus": 1, "showPrivileges": true])
        } catch {
            throw RestoreFailure.database(error, "ask \(connection.host) who is logged in")
        }
        return PrivilegeCheck(reply)
    }

    /// Reads the reply of `connectionStatus` with `showPrivileges`.
    init(_ reply: BSONDocument) {
        let info = reply["authInfo"]?.document ?? [:]
        let users: [(name: String, database: String)] = (info["authenticatedUsers"]?.array ?? []).compactMap {
            guard let name = $0.document?["user"]?.string, let database = $0.document?["db"]?.string else { return nil }
            return (name, database)
        }
        self.users = users.map { "\($0.name)@\($0.database)" }
        userIDs = Set(users.map { "\($0.database).\($0.name)" })
        privileges = (info["authenticatedUserPrivileges"]?.array ?? []).compactMap {
            guard let privilege = $0.document, let resource = privilege["resource"]?.document else { return nil }
            return (resource, Set((privilege["actions"]?.array ?? []).compactMap(\.string)))
        }
    }

    /// What a restore is going to do.
    struct Needs: Sendable {
        /// Collections that are there are dropped.
        var drops: Bool
        /// Documents are updated: by an oplog, or to keep zero timestamps on servers that replace them.
        var updates: Bool
        /// Documents are deleted, by an oplog.
        var removes: Bool

        /// Actions on an ordinary collection.
        fileprivate var actions: [String] {
            ["find", "insert", "createCollection", "createIndex", "collMod"] + (drops ? ["dropCollection"] : [])
                + (updates ? ["update"] : []) + (removes ? ["remove"] : [])
        }
    }

    /// Throws when something that the plan needs is not allowed, naming all of it.
    func check(_ plan: RestorePlan, _ needs: Needs) throws {
        guard !users.isEmpty else { return }
        var missing: [String: Set<String>] = [:]
        for collection in plan.collections where !collection.isUndroppable {
            for action in needs.actions where !allows(action, collection.target.known) {
                missing[collection.target.database, default: []].insert(action)
            }
            guard needs.removes, collection.metadata.kind == .timeSeries else { continue }
            for action in ["update", "remove"] where !allows(action, collection.dataTarget) {
                missing["\(collection.target.database) (buckets of time series)", default: []].insert(action)
            }
        }
        guard !missing.isEmpty else { return }
        let what = missing.sorted { $0.key < $1.key }.map {
            "\($0.value.sorted().joined(separator: ", ")) in \($0.key)"
        }
        throw RestoreFailure.missingPrivilege(
            "can't restore: \(users.joined(separator: ", ")) may not \(what.joined(separator: "; ")): "
                + "give that user the roles backup, restore and readWriteAnyDatabase"
        )
    }

    /// Throws when something is not allowed that only the restore of a whole sharded cluster does.
    func checkCluster(isConfigServer: Bool) throws {
        guard !users.isEmpty else { return }
        var missing: [String] = []
        let isInternal = privileges.contains { privilege in
            (privilege.actions.contains("internal") || privilege.actions.contains("anyAction"))
                && (privilege.resource["cluster"]?.truth == true || privilege.resource["anyResource"]?.truth == true)
        }
        if !isInternal { missing.append("internal on the cluster") }
        for action in isConfigServer ? ["find", "insert", "update", "remove"] : ["find", "remove"]
        where !allows(action, Namespace(database: "config", collection: isConfigServer ? "chunks" : "rangeDeletions")) {
            missing.append("\(action) on {db: \"config\", collection: \"\"}")
        }
        if !missing.isEmpty { throw ClusterRestoreFailure.missingPrivilege(users, missing) }
    }

    private func allows(_ action: String, _ namespace: Namespace) -> Bool {
        privileges.contains { privilege in
            guard privilege.actions.contains(action) || privilege.actions.contains("anyAction") else { return false }
            if privilege.resource["anyResource"]?.truth == true { return true }
            // Buckets of any database are a resource without one.
            let database = privilege.resource["db"]?.string ?? ""
            guard database.isEmpty || database.isExactly(namespace.database) else { return false }
            if let series = namespace.timeSeries {
                guard let buckets = privilege.resource["system_buckets"]?.string else { return false }
                return buckets.isEmpty || buckets.isExactly(series.collection)
            }
            guard let collection = privilege.resource["collection"]?.string else { return false }
            return collection.isEmpty || collection.isExactly(namespace.collection)
        }
    }
}
