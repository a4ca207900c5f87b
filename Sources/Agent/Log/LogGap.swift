import BackupModel
import Glibc

/// The line that stands where log bytes were dropped: valid as any other line, and countable by programs.
struct LogGap: Codable, Sendable, Hashable {
    struct Size: Codable, Sendable, Hashable {
        var bytes: Int64
    }

    var t: Int64
    var level = "warning"
    var component = "log"
    var message: String
    var gap: Size

    init(droppedBytes: Int64, unixMs: Int64) {
        t = unixMs
        message = "\(droppedBytes) bytes of log are missing here: they were written faster than they could be sent"
        gap = Size(bytes: droppedBytes)
    }

    /// The line as bytes, with its line feed.
    static func line(droppedBytes: Int64, unixMs: Int64 = WallClock.unixMilliseconds()) -> [UInt8] {
        NDJSON.line(LogGap(droppedBytes: droppedBytes, unixMs: unixMs))
    }
}

/// One JSON value a line.
enum NDJSON {
    /// The value as a line, with its line feed.
    static func line(_ value: some Encodable) -> [UInt8] {
        do {
            return try WireJSON.encode(value) + [0x0A]
        } catch {
            // Strings and integers always encode; if that ever changes, the log says so instead of the job failing.
            return Array(#"{"component":"log","level":"error","message":"a log line could not be encoded","t":0}"#.utf8)
                + [0x0A]
        }
    }
}

/// The wall clock: for people only, never for a decision.
enum WallClock {
    /// Milliseconds since 1970, UTC.
    static func unixMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
