import BackupModel
import Foundation
import GRDB

/// The coordinator's memory in one SQLite file: write-ahead log, every commit synced.
final class SQLiteStore: Store {
    private let pool: DatabasePool

    /// Opens the file, making it if it is missing.
    init(path: String) throws(StoreError) {
        do {
            var configuration = Configuration()
            configuration.label = "remora.state"
            configuration.busyMode = .timeout(10)
            configuration.prepareDatabase { database in
                // A permit is given away as soon as its commit returns, so the commit must survive a power cut.
                try database.execute(sql: "PRAGMA synchronous = FULL")
            }
            Self.keepFromOthers(path)
            pool = try DatabasePool(path: path, configuration: configuration)
            try Self.migrator.migrate(pool)
        } catch {
            throw StoreError(
                description: "can't open the state in \(path): \(error); check the directory's owner and free space"
            )
        }
    }

    /// The key of the agents' tokens is in the file, so nobody else may read it, wherever its directory is.
    ///
    /// SQLite gives its other files the mode of this one. What fails here fails again when the file is opened, and is
    /// told then.
    private static func keepFromOthers(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
        for suffix in ["", "-wal", "-shm"] { _ = chmod(path + suffix, 0o600) }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
                    CREATE TABLE session (
                        namespace TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL,
                        phase TEXT NOT NULL, active INTEGER NOT NULL, created INTEGER NOT NULL, ended INTEGER,
                        state BLOB NOT NULL, PRIMARY KEY (namespace, name)
                    );
                    CREATE INDEX session_by_time ON session (created);
                    CREATE INDEX session_by_target ON session (namespace, target, created);
                    CREATE INDEX session_active ON session (active) WHERE active = 1;
                    CREATE TABLE event (
                        id INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, session TEXT NOT NULL,
                        time INTEGER NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL
                    );
                    CREATE INDEX event_by_session ON event (namespace, session, id);
                    CREATE TABLE lock (
                        job TEXT PRIMARY KEY, open INTEGER NOT NULL, since INTEGER NOT NULL, record BLOB NOT NULL
                    );
                    CREATE INDEX lock_open ON lock (open, since);
                    CREATE TABLE agent (id TEXT PRIMARY KEY, record BLOB NOT NULL);
                    CREATE TABLE schedule (
                        namespace TEXT NOT NULL, configuration TEXT NOT NULL, handled INTEGER NOT NULL,
                        PRIMARY KEY (namespace, configuration)
                    );
                    """
            )
        }
        return migrator
    }

    private func write<Value>(_ what: String, _ body: (Database) throws -> Value) throws -> Value {
        do {
            // Within a greater transaction it is a part that can be taken back by itself.
            return try pool.unsafeReentrantWrite { database in
                var value: Value?
                try database.inSavepoint {
                    value = try body(database)
                    return .commit
                }
                guard let value else { throw StoreError(description: "nothing was done") }
                return value
            }
        } catch {
            throw StoreError(description: "can't store \(what): \(error); check the state directory's free space")
        }
    }

    private func read<Value>(_ what: String, _ body: (Database) throws -> Value) throws -> Value {
        do {
            // Within a transaction, what that has written is seen.
            return try pool.unsafeReentrantRead(body)
        } catch {
            throw StoreError(description: "can't read \(what): \(error)")
        }
    }

    func together(_ body: () throws -> Void) throws {
        try write("several changes at once") { _ in try body() }
    }

    // MARK: Epoch and keys

    func nextEpoch(atLeast minimum: Int64) throws -> Int64 {
        try write("the epoch") { database in
            let last = try Int64.fetchOne(database, sql: "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'epoch'")
            let next = max((last ?? 0) + 1, minimum)
            try database.execute(sql: "INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", arguments: [next])
            return next
        }
    }

    func secretKey(_ name: String, make: () -> [UInt8]) throws -> [UInt8] {
        try write("key \(name)") { database in
            if let value = try Data.fetchOne(database, sql: "SELECT value FROM meta WHERE key = ?", arguments: [name]) {
                return [UInt8](value)
            }
            let value = make()
            try database.execute(sql: "INSERT INTO meta VALUES (?, ?)", arguments: [name, Data(value)])
            return value
        }
    }

    // MARK: Sessions

    func insert(_ session: SessionState, events: [SessionEventView]) throws -> Bool {
        try write("session \(session.key)") { database in
            let taken = try Bool.fetchOne(
                database,
                sql: "SELECT EXISTS (SELECT 1 FROM session WHERE namespace = ? AND name = ?)",
                arguments: [session.key.namespace, session.key.name]
            )
            guard taken != true else { return false }
            try Self.put(session, events, database)
            return true
        }
    }

    func save(_ session: SessionState, events: [SessionEventView], locks: [LockRecord]) throws {
        try write("session \(session.key)") { database in
            try Self.put(session, events, database)
            for lock in locks { try Self.put(lock, database) }
        }
    }

    private static func put(_ session: SessionState, _ events: [SessionEventView], _ database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (namespace, name) DO UPDATE SET
                    phase = excluded.phase, active = excluded.active, ended = excluded.ended, state = excluded.state
                """,
            arguments: [
                session.key.namespace, session.key.name, session.kind.rawValue, session.plan.target,
                session.phase.rawValue, session.isOver ? 0 : 1, session.created.unixMs, session.ended?.unixMs,
                Data(try WireJSON.encode(session)),
            ]
        )
        for event in events {
            try database.execute(
                sql: "INSERT INTO event (namespace, session, time, type, message) VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    session.key.namespace, session.key.name, event.time.unixMs, event.type, event.message,
                ]
            )
        }
    }

    func session(_ key: ResourceKey) throws -> SessionState? {
        try read("session \(key)") { database in
            try Data.fetchOne(
                database,
                sql: "SELECT state FROM session WHERE namespace = ? AND name = ?",
                arguments: [key.namespace, key.name]
            ).map { try WireJSON.decode(SessionState.self, from: [UInt8]($0)) }
        }
    }

    func sessions(_ filter: SessionFilter) throws -> [SessionState] {
        var conditions: [String] = []
        var arguments: [(any DatabaseValueConvertible)?] = []
        func add(_ column: String, _ value: (any DatabaseValueConvertible)?) {
            guard let value else { return }
            conditions.append("\(column) = ?")
            arguments.append(value)
        }
        add("namespace", filter.target?.namespace ?? filter.namespace)
        add("target", filter.target?.name)
        add("kind", filter.kind?.rawValue)
        add("phase", filter.phase?.rawValue)
        add("active", filter.isActive.map { $0 ? 1 : 0 })
        let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        arguments.append(filter.limit)
        let values = arguments
        return try read("sessions") { database in
            try Data.fetchAll(
                database,
                sql: "SELECT state FROM session \(condition) ORDER BY created DESC, name DESC LIMIT ?",
                arguments: StatementArguments(values)
            ).map { try WireJSON.decode(SessionState.self, from: [UInt8]($0)) }
        }
    }

    func events(of session: ResourceKey) throws -> [SessionEventView] {
        try read("events of \(session)") { database in
            try Row.fetchAll(
                database,
                sql: "SELECT time, type, message FROM event WHERE namespace = ? AND session = ? ORDER BY id",
                arguments: [session.namespace, session.name]
            ).map { SessionEventView(time: Timestamp(unixMs: $0["time"]), type: $0["type"], message: $0["message"]) }
        }
    }

    func remove(_ session: ResourceKey) throws {
        try write("the removal of \(session)") { database in
            let arguments: StatementArguments = [session.namespace, session.name]
            try database.execute(sql: "DELETE FROM event WHERE namespace = ? AND session = ?", arguments: arguments)
            try database.execute(sql: "DELETE FROM session WHERE namespace = ? AND name = ?", arguments: arguments)
        }
    }

    // MARK: Locks

    func save(_ lock: LockRecord) throws {
        try write("the \(lock.subject)") { database in try Self.put(lock, database) }
    }

    private static func put(_ lock: LockRecord, _ database: Database) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO lock VALUES (?, ?, ?, ?)",
            arguments: [lock.id, lock.isOpen ? 1 : 0, lock.since.unixMs, Data(try WireJSON.encode(lock))]
        )
    }

    func locks(onlyOpen: Bool, limit: Int) throws -> [LockRecord] {
        try read("locks") { database in
            try Data.fetchAll(
                database,
                sql: "SELECT record FROM lock WHERE open >= ? ORDER BY since DESC LIMIT ?",
                arguments: [onlyOpen ? 1 : 0, limit]
            ).map { try WireJSON.decode(LockRecord.self, from: [UInt8]($0)) }
        }
    }

    // MARK: Agents and schedules

    func save(_ agent: AgentRecord) throws {
        try write("agent \(agent.pod)") { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO agent VALUES (?, ?)",
                arguments: [agent.agentID, Data(try WireJSON.encode(agent))]
            )
        }
    }

    func agents() throws -> [AgentRecord] {
        try read("agents") { database in
            try Data.fetchAll(database, sql: "SELECT record FROM agent ORDER BY id")
                .map { try WireJSON.decode(AgentRecord.self, from: [UInt8]($0)) }
        }
    }

    func remove(agent agentID: String) throws {
        try write("the removal of agent \(agentID)") { database in
            try database.execute(sql: "DELETE FROM agent WHERE id = ?", arguments: [agentID])
        }
    }

    func lastHandled(_ configuration: ResourceKey) throws -> Timestamp? {
        try read("schedule of \(configuration)") { database in
            try Int64.fetchOne(
                database,
                sql: "SELECT handled FROM schedule WHERE namespace = ? AND configuration = ?",
                arguments: [configuration.namespace, configuration.name]
            ).map { Timestamp(unixMs: $0) }
        }
    }

    func setLastHandled(_ configuration: ResourceKey, _ time: Timestamp) throws {
        try write("schedule of \(configuration)") { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO schedule VALUES (?, ?, ?)",
                arguments: [configuration.namespace, configuration.name, time.unixMs]
            )
        }
    }
}
