/// A lock file: somebody works in the repository (restic design.rst, "Locks").
public struct RepositoryLock: Sendable, Equatable {
    /// The lock file's name.
    ///
    /// Changes with every refresh.
    public internal(set) var id: ObjectID
    /// When it was made or refreshed last.
    public var time: Timestamp
    /// Whether nobody else may hold any lock.
    public var exclusive: Bool
    /// Who holds it.
    public var hostname: String
    /// The user it runs as.
    public var username: String
    /// The holder's process.
    public var pid: UInt64

    /// After this a stock tool calls a lock stale.
    public static let staleAfter = Duration.seconds(30 * 60)
    /// How often a holder refreshes its lock.
    public static let refreshInterval = Duration.seconds(5 * 60)
    /// A holder that could not refresh for so long must stop writing: 7.5 minutes before others call the lock stale.
    public static let mustStopAfter = Duration.seconds(22 * 60 + 30)

    var json: [UInt8] {
        var object = JSONObjectWriter()
        object.member("time", time.description)
        object.member("exclusive", exclusive)
        object.member("hostname", hostname)
        object.member("username", username)
        object.member("pid", pid)
        return object.finish()
    }

    init(time: Timestamp, exclusive: Bool, hostname: String, username: String, pid: UInt64) {
        id = .zero
        self.time = time
        self.exclusive = exclusive
        self.hostname = hostname
        self.username = username
        self.pid = pid
    }

    init(id: ObjectID, json: [UInt8]) throws {
        self.init(time: .epoch, exclusive: false, hostname: "", username: "", pid: 0)
        self.id = id
        try json.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.object { scanner, key in
                switch key {
                case "time": time = try scanner.timestamp()
                case "exclusive": exclusive = try scanner.bool()
                case "hostname": hostname = try scanner.string()
                case "username": username = try scanner.string()
                case "pid": pid = try scanner.uint64()
                default: try scanner.skip()
                }
            }
            try scanner.expectEnd()
        }
    }
}
