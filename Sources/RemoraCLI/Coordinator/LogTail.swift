import BackupModel

/// Follows a session's logs to its end, over restarts of the coordinator, each line once.
struct LogTail: Sendable {
    let client: CoordinatorClient
    let key: ResourceKey
    let pod: String?
    let level: String?

    /// Gives every line to `show` until the session is over.
    func run(_ show: (PodLogLine) throws -> Void) async throws {
        var seen: [String: Int] = [:]
        var failures = 0
        while true {
            // A new stream begins with the first line again: what has been shown is counted off, pod by pod.
            var skipped = seen
            do {
                for try await line in try await client.logs(key, pod: pod, level: level, follow: true) {
                    failures = 0
                    if let left = skipped[line.pod], left > 0 {
                        skipped[line.pod] = left - 1
                        continue
                    }
                    seen[line.pod, default: 0] += 1
                    try show(line)
                    try Surroundings.current.console.checkOutput()
                }
                if try await client.session(key).phase.isFinal { return }
            } catch let failure as CommandFailure where failure.status != .unreachable {
                throw failure
            } catch {
                try Task.checkCancellation()
                failures += 1
                guard failures <= 60 else { throw error }
            }
            try await Task.sleep(for: .seconds(1))
        }
    }
}
