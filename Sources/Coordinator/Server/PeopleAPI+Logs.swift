import BackupModel
import Hummingbird

extension PeopleAPI {
    private static let levels = ["debug", "info", "warning", "error"]
    /// Read and sent at once, which bounds what a slow reader costs.
    private static let chunkBytes = 256 << 10
    /// A line that is longer is sent as it is, in pieces, and not filtered.
    private static let maximumLineBytes = 1 << 20

    /// Which lines somebody wants.
    struct LogFilter: Sendable {
        var pod: String?
        var minimumLevel = 0

        /// The line as it is sent, or nil when it isn't wanted.
        func apply(_ line: ArraySlice<UInt8>, pod: String) -> [UInt8]? {
            // What isn't a log line (a gap, say) is shown as it is rather than hidden.
            guard let parsed = try? WireJSON.decode(LogLine.self, from: Array(line)) else {
                return wrap(String(decoding: line, as: UTF8.self), pod)
            }
            if let level = PeopleAPI.levels.firstIndex(of: parsed.level), level < minimumLevel { return nil }
            // Encoding texts and numbers can't fail; if it did, the line as it came is better than none.
            return (try? WireJSON.encode(PodLogLine(pod: pod, line: parsed))) ?? Array(line)
        }

        private func wrap(_ text: String, _ pod: String) -> [UInt8]? {
            guard !text.isEmpty else { return nil }
            let line = LogLine(t: 0, level: "info", component: "raw", message: text)
            return try? WireJSON.encode(PodLogLine(pod: pod, line: line))  // as above
        }
    }

    /// Streams a session's logs: from the coordinator's files while it has them, from the archive afterwards.
    func streamLogs(_ request: Request, _ key: ResourceKey) async throws -> Response {
        let query = request.uri.queryParameters
        var filter = LogFilter(pod: query["pod"].map(String.init))
        if let level = query["level"] {
            guard let index = Self.levels.firstIndex(of: String(level)) else {
                throw RequestError.invalid("level is '\(level)'; allowed: \(Self.levels.joined(separator: ", "))")
            }
            filter.minimumLevel = index
        }
        let isFollowing = query["follow"] == "true"
        let session = try await conductor.state(of: key)
        if let pod = filter.pod, session.isOver, !session.groups.flatMap(\.attempts).contains(where: { $0.pod == pod })
        {
            throw RequestError.notFound("no agent of pod \(pod) worked on session \(key)")
        }
        let wanted = filter
        _ = try await Answers.body(request, limit: 0)
        let body = Answers.watch(request)
        return Response(
            status: .ok,
            headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store", .connection: "close"],
            body: ResponseBody { writer in
                let out = WriterBox(writer)
                try await body.consumeWithCancellationOnInboundClose { _ in
                    try await send(key, wanted, isFollowing: isFollowing, out)
                }
                try await out.finish()
            }
        )
    }

    private func send(_ key: ResourceKey, _ filter: LogFilter, isFollowing: Bool, _ out: WriterBox) async throws {
        var positions: [String: Int64] = [:]
        var archived: Set<String> = []
        while true {
            let version = conductor.bell.version(Conductor.sessionBell(key))
            let session = try await conductor.state(of: key)
            let isDraining = await conductor.isDraining
            for attempt in session.groups.flatMap(\.attempts).sorted(by: { $0.assignedAt < $1.assignedAt }) {
                if let pod = filter.pod, pod != attempt.pod { continue }
                let start = positions[attempt.jobID] ?? 0
                if session.isOver, start == 0, attempt.logBytes > 0, await logs.end(key, attempt.jobID) == 0 {
                    // All attempts of a pod are in one archive.
                    if archived.insert(attempt.pod).inserted {
                        try await sendArchive(session, attempt.pod, filter, out)
                    }
                    continue
                }
                positions[attempt.jobID] = try await sendFile(key, attempt, from: start, filter, out)
            }
            guard isFollowing, !session.isOver, !isDraining else { return }
            let isRung = await conductor.bell.wait(
                Conductor.sessionBell(key),
                past: version,
                atMost: AgentAPI.keepAlive
            )
            try Task.checkCancellation()
            if !isRung { try await out.write([UInt8(ascii: "\n")]) }
        }
    }

    /// Sends the whole lines that have come since; gives back where to go on.
    private func sendFile(
        _ key: ResourceKey,
        _ attempt: Attempt,
        from start: Int64,
        _ filter: LogFilter,
        _ out: WriterBox
    ) async throws -> Int64 {
        var position = start
        var rest: [UInt8] = []
        while true {
            let offset = position + Int64(rest.count)
            let bytes = try await logs.read(key, attempt.jobID, from: offset, atMost: Self.chunkBytes)
            if bytes.isEmpty {
                // The last line of a job that is over may lack its end.
                if attempt.isOver, !rest.isEmpty {
                    try await sendLines(rest + [UInt8(ascii: "\n")], attempt.pod, filter, out)
                    position += Int64(rest.count)
                }
                return position
            }
            rest += bytes
            guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else {
                guard rest.count > Self.maximumLineBytes else { continue }
                position += Int64(rest.count)
                try await sendLines(rest + [UInt8(ascii: "\n")], attempt.pod, filter, out)
                rest = []
                continue
            }
            try await sendLines(Array(rest[...end]), attempt.pod, filter, out)
            position += Int64(end + 1)
            rest.removeFirst(end + 1)
        }
    }

    private func sendArchive(
        _ session: SessionState,
        _ pod: String,
        _ filter: LogFilter,
        _ out: WriterBox
    ) async throws {
        do {
            guard let bytes = try await keeper.archivedLog(pod: pod, of: session) else { return }
            try await sendLines(bytes, pod, filter, out)
        } catch let error as StorageFailure {
            // The answer has begun, so the reason goes where the lines would have been.
            let message = "the archived log can't be read: \(error.description)"
            let line = LogLine(t: conductor.clock().unixMs, level: "error", component: "coordinator", message: message)
            try await out.write(try WireJSON.encode(PodLogLine(pod: pod, line: line)) + [UInt8(ascii: "\n")])
        }
    }

    private func sendLines(_ bytes: [UInt8], _ pod: String, _ filter: LogFilter, _ out: WriterBox) async throws {
        var block: [UInt8] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let text = filter.apply(line, pod: pod) else { continue }
            block += text
            block.append(UInt8(ascii: "\n"))
            if block.count >= Self.chunkBytes {
                try await out.write(block)
                block = []
            }
        }
        if !block.isEmpty { try await out.write(block) }
    }
}
