import Glibc

/// The directory of the jobs' logs, and the names in it.
enum LogDirectory {
    /// Logs of jobs that are over, kept for whoever looks into the pod.
    static let keptLogs = 20

    /// One log as its name says.
    struct File: Sendable, Hashable {
        var jobID: String
        var base: Int64
        var path: String
        var modifiedSeconds: Int
    }

    /// Path of a log: the base is zero-padded so that names sort.
    static func path(_ directory: String, _ jobID: String, _ base: Int64) -> String {
        let digits = String(base)
        let padding = String(repeating: "0", count: max(0, 12 - digits.count))
        return "\(directory)/\(jobID).\(padding)\(digits).ndjson"
    }

    /// Every log, ordered by job and base.
    static func files(in directory: String) -> [File] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var files: [File] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[2] == "ndjson", let base = Int64(parts[1]) else { continue }
            let path = "\(directory)/\(name)"
            var information = stat()
            guard stat(path, &information) == 0 else { continue }
            files.append(
                File(
                    jobID: String(parts[0]),
                    base: base,
                    path: path,
                    modifiedSeconds: information.st_mtim.tv_sec
                )
            )
        }
        return files.sorted { ($0.jobID, $0.base) < ($1.jobID, $1.base) }
    }

    /// Removes the oldest logs of jobs that are over.
    static func prune(_ directory: String, keeping needed: Set<String>, keptLogs: Int = LogDirectory.keptLogs) {
        let over = files(in: directory).filter { !needed.contains($0.jobID) }
            .sorted { $0.modifiedSeconds > $1.modifiedSeconds }
        for file in over.dropFirst(keptLogs) { unlink(file.path) }
    }
}
