import Foundation

extension Server {
    /// KiB of memory that are resident now (proc(5), like all figures here); 0 when it doesn't run.
    public var residentKiB: Int { statusField("VmRSS:") }
    /// KiB that were resident at most.
    public var peakKiB: Int { statusField("VmHWM:") }
    /// Threads.
    public var threads: Int { statusField("Threads:") }

    /// Processor seconds so far.
    public var cpuSeconds: Double {
        let text = file("stat")
        // The name before it may hold anything, brackets too.
        guard let end = text.lastIndex(of: ")") else { return 0 }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private func statusField(_ name: String) -> Int {
        for line in file("status").split(separator: "\n") where line.hasPrefix(name) {
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
        }
        return 0
    }

    private func file(_ name: String) -> String {
        guard let pid = process?.pid, let data = FileManager.default.contents(atPath: "/proc/\(pid)/\(name)") else {
            return ""
        }
        return String(decoding: data, as: UTF8.self)
    }
}
