import Foundation
import TestSupport

/// One measured step.
struct Measurement: Sendable {
    var name: String
    var wallSeconds: Double
    /// Processor seconds of the program measured; nil where it is this program's own threads.
    var cpuSeconds: Double?
    /// Processor seconds that `mongod` used meanwhile.
    var mongodSeconds: Double
    /// Peak memory of the program measured.
    var peakBytes: Int?
    /// Bytes that the repository grew by.
    var storedBytes: Int?

    /// A line of the table.
    var row: String {
        let columns = [
            String(format: "%.2f", wallSeconds),
            cpuSeconds.map { String(format: "%.2f", $0) } ?? "–",
            String(format: "%.2f", mongodSeconds),
            peakBytes.map { "\($0 >> 20) MiB" } ?? "–",
            storedBytes.map { String(format: "%.1f MB", Double($0) / 1e6) } ?? "–",
        ]
        return "| \(name) | \(columns.joined(separator: " | ")) |"
    }
}

/// Measures a step that runs in this process.
func measure(
    _ name: String,
    beside server: MongoServer,
    _ body: () async throws -> Void
) async throws -> Measurement {
    let (own, mongod, start) = (ownCPU(), cpu(of: server), ContinuousClock.now)
    try await body()
    return Measurement(
        name: name,
        wallSeconds: seconds(since: start),
        cpuSeconds: ownCPU() - own,
        mongodSeconds: cpu(of: server) - mongod
    )
}

/// Measures a program from its start to its end; it must succeed.
func measure(
    _ name: String,
    beside server: MongoServer,
    storedIn directory: String? = nil,
    _ command: Command
) async throws -> Measurement {
    let before = directory.map(size(of:))
    let (mongod, start) = (cpu(of: server), ContinuousClock.now)
    let output = try await command.run()
    return Measurement(
        name: name,
        wallSeconds: seconds(since: start),
        cpuSeconds: output.usage?.cpuSeconds,
        mongodSeconds: cpu(of: server) - mongod,
        peakBytes: output.usage?.peakBytes,
        storedBytes: directory.map { size(of: $0) - (before ?? 0) }
    )
}

private func seconds(since start: ContinuousClock.Instant) -> Double {
    (ContinuousClock.now - start) / .seconds(1)
}

/// Bytes of all files below a directory.
func size(of directory: String) -> Int {
    guard let paths = FileManager.default.enumerator(atPath: directory) else { return 0 }
    return paths.reduce(into: 0) { total, path in
        guard let path = path as? String else { return }
        var status = stat()
        if stat("\(directory)/\(path)", &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            total += Int(status.st_size)
        }
    }
}

private func ownCPU() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

/// Processor seconds of a running server, as the kernel counts them (proc(5), fields 14 and 15).
private func cpu(of server: MongoServer) -> Double {
    guard
        let pid = server.server.process?.pid,
        let text = FileManager.default.contents(atPath: "/proc/\(pid)/stat").map({ String(decoding: $0, as: UTF8.self) }
        ),
        let end = text.lastIndex(of: ")")
    else { return 0 }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
}
