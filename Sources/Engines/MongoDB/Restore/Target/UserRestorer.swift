import BSON
import BackupModel

/// Brings users and roles back with their credentials as they were stored.
///
/// Nobody may write `admin.system.users`; `_mergeAuthzCollections` takes it from ordinary collections, as mongorestore
/// has it. It is told to drop what these don't hold, because only then does it replace what is there: so everybody
/// who is to stay is put into them too.
struct UserRestorer: Sendable {
    let pool: ConnectionPool
    let progress: RestoreProgress

    /// Where users and roles are gathered.
    static let stores = ReplayModel.UserStores(
        users: Namespace(database: "admin", collection: Namespace.restorePrefix + "users"),
        roles: Namespace(database: "admin", collection: Namespace.restorePrefix + "roles")
    )
    private static let users = Namespace(database: "admin", collection: "system.users")
    private static let roles = Namespace(database: "admin", collection: "system.roles")

    /// Makes the stores, empty.
    func prepare() async throws {
        try await removeStores()
        try await pool.use { connection in
            for store in [Self.stores.users, Self.stores.roles] {
                do throws(MongoError) {
                    _ = try await connection.command("admin", ["create": .string(store.collection)])
                } catch {
                    throw RestoreFailure.database(error, "create \(store)")
                }
            }
        }
    }

    /// Removes the stores, whether they are there or not.
    func removeStores() async throws {
        try await pool.use { connection in
            for store in [Self.stores.users, Self.stores.roles] {
                do throws(MongoError) {
                    _ = try await connection.command("admin", ["drop": .string(store.collection)])
                } catch {
                    if error.code == MongoError.ServerCode.namespaceNotFound { continue }
                    throw RestoreFailure.database(error, "drop \(store)")
                }
            }
        }
    }

    /// Replaces users and roles by those in the stores, and reads them back.
    ///
    /// - Parameter current: ids of the users we are logged in as, who keep what they have.
    /// - Returns: how many were restored, and what should be known about it.
    /// - Throws: `JobFailure` when the server refuses, or has something else afterwards.
    func merge(keeping current: Set<String>) async throws -> (count: Int, notes: [String]) {
        progress.step("restore users and roles")
        var notes: [String] = []
        let roles = try await union(Self.stores.roles, Self.roles, keeping: [], "role", &notes)
        let users = try await union(Self.stores.users, Self.users, keeping: current, "user", &notes)
        let command: BSONDocument = [
            "_mergeAuthzCollections": 1, "tempUsersCollection": .string(Self.stores.users.description),
            "tempRolesCollection": .string(Self.stores.roles.description), "drop": true, "db": "",
            "writeConcern": ["w": "majority"],
        ]
        try await pool.use { connection in
            do throws(MongoError) {
                _ = try await connection.command("admin", command)
            } catch {
                throw RestoreFailure.database(error, "restore users and roles")
            }
        }
        try await check(Self.roles, roles.expected, "role")
        try await check(Self.users, users.expected, "user")
        try await removeStores()
        return (roles.restored + users.restored, notes)
    }

    /// Adds to a store what is to stay as it is; what comes back is what must be there afterwards, by id.
    private func union(
        _ store: Namespace,
        _ place: Namespace,
        keeping: Set<String>,
        _ word: String,
        _ notes: inout [String]
    ) async throws -> (expected: [ExactText: BSONDocument], restored: Int) {
        var expected = try await documents(store)
        let present = try await documents(place)
        let restored = expected.keys.filter { !(keeping.contains($0.text) && present[$0] != nil) }.count
        var added: [UInt8] = []
        var kept: [String] = []
        for (id, document) in present.sorted(by: { $0.key.text < $1.key.text }) {
            if keeping.contains(id.text) {
                notes.append("\(word) \(id.text) is the one Remora is logged in as and stays as it is")
                if expected[id] != nil { try await remove(id.text, from: store) }
            } else if expected[id] != nil {
                continue
            } else {
                kept.append(id.text)
            }
            expected[id] = document
            added += document.bytes
        }
        if !kept.isEmpty {
            notes.append(
                "\(kept.count == 1 ? "a \(word) that the backup doesn't have stays" : "\(kept.count) \(word)s that the backup doesn't have stay"): "
                    + kept.joined(separator: ", ")
            )
        }
        if !added.isEmpty {
            let documents = added
            try await pool.use { connection in
                let result = try await connection.insert("admin", store.collection, documents: documents)
                if let failure = result.failures.first {
                    throw RestoreFailure.rejected("can't gather \(word)s in \(store): \(failure.message)")
                }
            }
        }
        return (expected, restored)
    }

    private func documents(_ namespace: Namespace) async throws -> [ExactText: BSONDocument] {
        let found = try await pool.use { connection in
            do throws(MongoError) {
                return try await connection.all(
                    namespace.database,
                    ["find": .string(namespace.collection), "readConcern": ["level": "local"]]
                )
            } catch {
                throw RestoreFailure.database(error, "read \(namespace)")
            }
        }
        return Dictionary(found.map { (ExactText($0["_id"]?.string ?? "\($0)"), $0) }) { first, _ in first }
    }

    private func remove(_ id: String, from store: Namespace) async throws {
        try await pool.use { connection in
            _ = try await connection.command(
                store.database,
                ["delete": .string(store.collection), "deletes": [["q": ["_id": .string(id)], "limit": 1]]]
            )
        }
    }

    private func check(_ place: Namespace, _ expected: [ExactText: BSONDocument], _ word: String) async throws {
        let found = try await documents(place)
        for (id, document) in expected.sorted(by: { $0.key.text < $1.key.text }) where found[id] != document {
            throw RestoreFailure.verification(
                "\(word) \(id.text) is \(found[id] == nil ? "missing" : "not as in the backup") after users and roles were restored"
            )
        }
        if let more = found.keys.first(where: { expected[$0] == nil }) {
            throw RestoreFailure.verification(
                "\(word) \(more.text) came into being while users and roles were restored"
            )
        }
    }
}
