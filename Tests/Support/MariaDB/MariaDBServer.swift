import Foundation

/// One real `mariadbd` on loopback, in a directory of its own.
public final class MariaDBServer: Sendable {
    /// Where it listens.
    public let port: UInt16
    /// The process, with its log.
    public let server: Server
    private let socket: String

    /// Who backs up and restores, with the privileges of the sample's and a password that no quoting may spoil.
    public static let user = (name: "remora", password: "p@ss:/?#% w'o\"r$d")

    private init(port: UInt16, server: Server, socket: String) {
        self.port = port
        self.server = server
        self.socket = socket
    }

    /// Makes a data directory, starts the server and creates the user.
    ///
    /// - Throws: `TestSupportError` with the end of its log.
    public static func start(in directory: TestDirectory) async throws -> MariaDBServer {
        let data = directory.appending("mariadb")
        let account = NSUserName()
        // Two that share one remove each other's temporary tables.
        let temporary = ["TMPDIR": try directory.makeDirectory("mariadb-tmp")]
        try await Command(
            Tools.mariaDB("mariadb-install-db"),
            [
                "--no-defaults", "--datadir=\(data)", "--auth-root-authentication-method=normal", "--skip-test-db",
                "--user=\(account)",
            ],
            environment: temporary
        ).run()
        let port = try Ports.free()
        let socket = directory.appending("mariadb.sock")
        let server = Server(
            "mariadbd",
            program: try Tools.mariaDB("mariadbd"),
            arguments: [
                "--no-defaults", "--datadir=\(data)", "--user=\(account)", "--bind-address=127.0.0.1", "--port=\(port)",
                "--socket=\(socket)", "--pid-file=\(directory.appending("mariadb.pid"))", "--skip-name-resolve",
                "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0",
                "--character-set-server=utf8mb4", "--max-allowed-packet=64M",
            ],
            environment: temporary,
            logPath: directory.appending("mariadb.log")
        )
        let result = MariaDBServer(port: port, server: server, socket: socket)
        try await server.launch()
        try await server.waitUntilReady { try await result.run("SELECT 1") == "1" }
        let (name, password) = (user.name, user.password.replacingOccurrences(of: "'", with: "''"))
        try await result.run(
            """
            CREATE USER '\(name)'@'%' IDENTIFIED BY '\(password)';
            GRANT ALL PRIVILEGES ON \(MariaDBDataSet.database).* TO '\(name)'@'%';
            GRANT PROCESS, RELOAD, SET USER ON *.* TO '\(name)'@'%';
            GRANT SELECT ON mysql.* TO '\(name)'@'%';
            """
        )
        return result
    }

    /// Runs SQL as root over the server's socket.
    ///
    /// - Returns: rows as lines, columns parted by tabs, without names.
    @discardableResult public func run(_ sql: String, in database: String? = nil) async throws -> String {
        let output = try await Command(
            Tools.mariaDB("mariadb"),
            [
                "--no-defaults", "--socket=\(socket)", "--user=root", "--batch", "--skip-column-names",
                "--default-character-set=utf8mb4",
            ] + (database.map { [$0] } ?? []),
            input: Array(sql.utf8)
        ).run()
        return output.text.trimmingCharacters(in: .newlines)
    }
}

extension Tools {
    /// A program of MariaDB; the server lies where only an administrator's `PATH` leads.
    public static func mariaDB(_ name: String) throws -> String {
        var environment = ProcessInfo.processInfo.environment
        environment["PATH", default: "/usr/bin"] += ":/usr/sbin"
        return try find(name, variable: "REMORA_MARIADB", environment: environment)
    }
}
