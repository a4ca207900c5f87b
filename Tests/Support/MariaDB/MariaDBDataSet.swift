import Foundation

/// A database with whatever a dump can lose: routines, triggers, events, views, binary and four-byte text.
public enum MariaDBDataSet {
    /// The database.
    public static let database = "shop"

    /// Makes it.
    ///
    /// - Parameters:
    ///   - server: where.
    ///   - orders: rows of the largest table.
    /// - Throws: `TestSupportError` with what the server said.
    public static func load(into server: MariaDBServer, orders: Int = 20_000) async throws {
        try await server.run(
            """
            CREATE DATABASE shop CHARACTER SET utf8mb4;
            USE shop;
            CREATE TABLE customers (
              id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200) NOT NULL, born DATE NULL,
              note TEXT COLLATE utf8mb4_bin, score DOUBLE, flags BIT(7), KEY by_name (name), FULLTEXT KEY words (note)
            );
            INSERT INTO customers (name, born, note, score, flags) VALUES
              ('Ада 🚀 Лавлейс', '1815-12-10', 'quotes '' " ` and \\\\ backslash', 1e-300, b'1010101'),
              ('日本語 𠜎', NULL, 'line\\nbreak\\ttab\\0nul\\Z', -0.1, b'0'), ('', '0001-01-01', '-- Dump completed', NULL, NULL);
            INSERT INTO customers (name, score) SELECT CONCAT('customer ', seq), seq / 7 FROM seq_1_to_500;
            CREATE TABLE orders (
              id INT AUTO_INCREMENT PRIMARY KEY, customer BIGINT UNSIGNED NOT NULL, total DECIMAL(20, 4) NOT NULL,
              placed TIMESTAMP(6) NOT NULL DEFAULT '2024-01-01 00:00:00', state ENUM('open', 'sent', 'gone') DEFAULT 'open',
              details JSON, gross DECIMAL(20, 4) AS (total * 1.19) STORED,
              FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE
            );
            INSERT INTO orders (customer, total, placed, details)
              SELECT 1 + seq % 500, seq / 3, TIMESTAMP('2024-03-31 00:30:00') + INTERVAL seq MINUTE,
                JSON_OBJECT('seq', seq, 'hash', SHA2(seq, 256)) FROM seq_1_to_\(orders);
            CREATE TABLE journal (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100), at DATETIME(6)) ENGINE = Aria;
            CREATE VIEW rich AS SELECT customer, SUM(total) AS sum FROM orders GROUP BY customer HAVING sum > 100;
            DELIMITER //
            CREATE FUNCTION doubled(x INT) RETURNS INT DETERMINISTIC RETURN x * 2//
            CREATE PROCEDURE close_all(IN who BIGINT) BEGIN UPDATE orders SET state = 'gone' WHERE customer = who; END//
            CREATE TRIGGER remember AFTER UPDATE ON orders FOR EACH ROW
              INSERT INTO journal (what, at) VALUES (CONCAT('order ', NEW.id), '2024-05-05 05:05:05.123456')//
            CREATE EVENT sweep ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO DELETE FROM journal WHERE id < 0//
            DELIMITER ;
            CALL close_all(7);
            CREATE TABLE bodies (id INT PRIMARY KEY, body LONGBLOB, word VARCHAR(50)) CHARACTER SET latin1;
            INSERT INTO bodies SELECT seq, UNHEX(REPEAT(SHA2(seq, 512), 400)), 'caf\u{E9}' FROM seq_1_to_100;
            INSERT INTO bodies SELECT 1000, GROUP_CONCAT(CHAR(seq) ORDER BY seq SEPARATOR ''), NULL FROM seq_0_to_255;
            """
        )
    }

    /// Removes it.
    public static func drop(from server: MariaDBServer) async throws {
        try await server.run("DROP DATABASE IF EXISTS \(database)")
    }

    /// Everything that it holds, as checksums and definitions.
    public static func fingerprint(_ server: MariaDBServer) async throws -> [String] {
        let tables = try await rows(server, "SELECT TABLE_NAME", "TABLES", "TABLE_SCHEMA")
        let views = try await rows(server, "SELECT TABLE_NAME", "VIEWS", "TABLE_SCHEMA")
        let routines = try await rows(
            server,
            "SELECT CONCAT(ROUTINE_TYPE, ' ', ROUTINE_NAME)",
            "ROUTINES",
            "ROUTINE_SCHEMA"
        )
        let triggers = try await rows(server, "SELECT TRIGGER_NAME", "TRIGGERS", "TRIGGER_SCHEMA")
        let events = try await rows(server, "SELECT CONCAT('EVENT ', EVENT_NAME)", "EVENTS", "EVENT_SCHEMA")
        var lines: [String] = []
        for what in tables.map({ "TABLE \($0)" }) + routines + events {
            lines.append(try await server.run("SHOW CREATE \(what)", in: database))
        }
        for trigger in triggers {
            // The last column is the time at which it was made.
            let text = try await server.run("SHOW CREATE TRIGGER \(trigger)", in: database)
            lines.append(text.split(separator: "\t").dropLast().joined(separator: "\t"))
        }
        for table in tables where !views.contains(table) {
            lines.append(try await server.run("CHECKSUM TABLE \(table) EXTENDED", in: database))
        }
        for view in views {
            let query = "SELECT '\(view)', COUNT(*), SHA2(GROUP_CONCAT(sum ORDER BY customer), 256) FROM \(view)"
            lines.append(try await server.run(query, in: database))
        }
        return lines
    }

    private static func rows(
        _ server: MariaDBServer,
        _ columns: String,
        _ table: String,
        _ schema: String
    ) async throws -> [String] {
        let query = "\(columns) FROM information_schema.\(table) WHERE \(schema) = '\(database)' ORDER BY 1"
        return try await server.run(query).split(separator: "\n").map(String.init)
    }
}
