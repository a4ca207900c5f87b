/// One line of a job's log (NDJSON).
public struct LogLine: Codable, Sendable, Hashable {
    /// Milliseconds since 1970, UTC.
    public var t: Int64
    /// `debug`, `info`, `warning`, `error`.
    public var level: String
    /// Which part of the agent, like `lock` or `dump`.
    public var component: String
    /// The message; no secrets.
    public var message: String

    /// Makes a line.
    public init(t: Int64, level: String, component: String, message: String) {
        self.t = t
        self.level = level
        self.component = component
        self.message = message
    }
}

/// Where the coordinator's copy of a job's log ends.
public struct LogResponse: Codable, Sendable, Hashable {
    /// The next byte wanted.
    public var nextOffset: Int64
    /// Interval of log patches.
    public var updateIntervalMs: Int

    /// Makes a response.
    public init(nextOffset: Int64, updateIntervalMs: Int) {
        self.nextOffset = nextOffset
        self.updateIntervalMs = updateIntervalMs
    }
}
