/// The limits that the kernel sets to the process's control group: in a container, the container's.
struct ControlGroup {
    /// Gives a file's text; nil when it isn't there or can't be read.
    let readFile: (String) -> String?

    /// Reads the real files.
    init() {
        // A limit that can't be read is no limit that we know of, and the standard buffers are modest.
        readFile = { path in (try? AgentSettings.read(path)).flatMap(\.self) }
    }

    /// Reads other files: for tests.
    init(readFile: @escaping (String) -> String?) { self.readFile = readFile }

    /// Bytes of memory; nil without a limit.
    ///
    /// The least of those of the group and the groups above it. Inside a container the kernel shows its group as the
    /// root; elsewhere `/proc/self/cgroup` says where it is (cgroups(7): version 2 has the number 0 and one tree,
    /// version 1 a tree for each controller).
    var memoryLimit: Int? {
        var limits = [limit("/sys/fs/cgroup/memory.max"), limit("/sys/fs/cgroup/memory/memory.limit_in_bytes")]
        for line in (readFile("/proc/self/cgroup") ?? "").split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            if parts[0] == "0", parts[1].isEmpty {
                limits += self.limits("/sys/fs/cgroup", parts[2], "memory.max")
            } else if parts[1].split(separator: ",").contains("memory") {
                limits += self.limits("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes")
            }
        }
        return limits.compactMap(\.self).min()
    }

    private func limits(_ root: String, _ group: Substring, _ file: String) -> [Int?] {
        var path = root
        return group.split(separator: "/").map { part in
            path += "/\(part)"
            return limit("\(path)/\(file)")
        }
    }

    /// Version 1 says "no limit" by a number of pages that no machine has, version 2 by `max`.
    private func limit(_ path: String) -> Int? {
        guard let text = readFile(path), let bytes = Int(text.filter { !$0.isWhitespace }) else { return nil }
        return bytes > 0 && bytes < 1 << 60 ? bytes : nil
    }
}
