import BackupModel
import Hummingbird
import Logging

extension AgentAPI {
    /// Longest wait that an agent may ask for.
    private static let maximumWaitSeconds = 300

    /// The long poll: answered when the agent should do something else, or when its time is up.
    func checkin(_ request: Request) async throws -> Response {
        let agent = try await authenticate(request)
        // Read before the answer begins, so that a bad body still gets an error of its own.
        let message = try await Answers.message(CheckinRequest.self, request)
        let agentID = agent.agentID
        var headers = Answers.jsonHeaders
        // Noticing that the agent is gone uses the connection up.
        headers[.connection] = "close"
        let body = Answers.watch(request)
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                // Begun and ended in the same place: whatever breaks, no poll is counted for ever.
                try await conductor.together { try $0.checkinBegan(message, agentID: agentID) }
                do {
                    let out = WriterBox(writer)
                    let document = try await body.consumeWithCancellationOnInboundClose { _ in
                        try await wait(message, agentID: agentID, out)
                    }
                    await conductor.checkinEnded(agentID: agentID)
                    try await out.write(try WireJSON.encode(document))
                    try await out.finish()
                } catch {
                    await conductor.checkinEnded(agentID: agentID)
                    throw error
                }
            }
        )
    }

    private func wait(
        _ message: CheckinRequest,
        agentID: String,
        _ out: WriterBox
    ) async throws -> DesiredDocument {
        let seconds = min(max(0, message.waitSeconds), Self.maximumWaitSeconds)
        let end = ContinuousClock.now.advanced(by: .seconds(seconds))
        while true {
            let version = conductor.bell.version(agentID)
            let document = await conductor.desiredDocument(agentID: agentID)
            let remaining = ContinuousClock.now.duration(to: end)
            // An older epoch is news too: the agent learns that the coordinator was restarted.
            if document.revision != message.ackRevision || document.reconnectAfterMs != nil
                || message.epoch != document.epoch || remaining <= .zero
            {
                return document
            }
            let isRung = await conductor.bell.wait(agentID, past: version, atMost: min(remaining, Self.keepAlive))
            try Task.checkCancellation()
            if !isRung, ContinuousClock.now < end { try await out.write([UInt8(ascii: "\n")]) }
        }
    }
}

/// A response's writer that may be used by one task after another.
///
/// The tasks that use it follow each other: a waiting one ends before the answer is written.
final class WriterBox: @unchecked Sendable {
    private var writer: any ResponseBodyWriter

    init(_ writer: any ResponseBodyWriter) { self.writer = writer }

    func write(_ bytes: [UInt8]) async throws { try await writer.write(ByteBuffer(bytes: bytes)) }
    func finish() async throws { try await writer.finish(nil) }
}
