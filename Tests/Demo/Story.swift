import Foundation

/// What the demonstration tells while it goes.
struct Story: Sendable {
    /// A new chapter.
    func heading(_ text: String) {
        write("\n\u{2022} \(text)\n")
    }

    /// A sentence.
    func say(_ text: String) {
        write("  \(text)\n")
    }

    /// Does something and says how long it took.
    func timed(_ body: () async throws -> Void) async throws -> String {
        try await timedValue(body).duration
    }

    /// Does something, returns what it made and how long it took.
    func timedValue<Value>(_ body: () async throws -> Value) async throws -> (value: Value, duration: String) {
        let start = ContinuousClock.now
        let value = try await body()
        return (value, format(ContinuousClock.now - start))
    }

    /// `2.4 s`, `1 min 12 s`.
    func format(_ duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        if seconds < 60 { return String(format: "%.1f s", seconds) }
        return "\(Int(seconds) / 60) min \(Int(seconds) % 60) s"
    }

    /// `230.4 MB`.
    func format(bytes: Double) -> String {
        bytes < 1e6 ? String(format: "%.0f kB", bytes / 1e3) : String(format: "%.1f MB", bytes / 1e6)
    }

    private func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}
