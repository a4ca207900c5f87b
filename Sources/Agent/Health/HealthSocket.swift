import Glibc

/// Where a running agent tells how it is: `health.sock` in its state directory.
///
/// Who connects is sent one report and the end; nothing is read.
struct HealthSocket: Sendable {
    static let name = "health.sock"

    private let socket: UnixSocket

    /// To be watched for connections.
    var descriptor: Int32 { socket.descriptor }

    /// Listens in the state directory, which is made when it isn't there.
    init(stateDirectory: String) throws {
        try StateDirectory.make(stateDirectory)
        socket = try UnixSocket.listen(stateDirectory, Self.name)
    }

    /// Answers everyone who waits; never blocks.
    func answer(_ report: HealthReport) {
        while true {
            let connection = accept(socket.descriptor, nil, nil)
            if connection < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            let bytes = report.bytes
            // So few bytes always fit into a socket that is new; who has gone doesn't want them.
            _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            close(connection)
        }
    }
}

/// What `remora-agent health` does.
public enum HealthQuestion {
    /// Less than the 5 s that a probe has, so that the reason is told and not only that time ran out.
    public static let patience: Duration = .seconds(4)

    /// Asks the agent that runs with this state directory.
    ///
    /// - Parameters:
    ///   - stateDirectory: the agent's.
    ///   - patience: how long the answer may take.
    /// - Returns: what it said.
    /// - Throws: `AgentError` when nobody answers: a sentence for people.
    public static func ask(
        stateDirectory: String,
        patience: Duration = HealthQuestion.patience
    ) throws(AgentError) -> HealthReport {
        let path = "\(stateDirectory)/\(HealthSocket.name)"
        guard let socket = try UnixSocket.connect(stateDirectory, HealthSocket.name) else {
            throw AgentError(.notRunning, "nobody answers at \(path): no agent runs with this state directory")
        }
        let deadline = ContinuousClock.now + patience
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: HealthReport.longest)
        while true {
            let left = max(0, ContinuousClock.now.duration(to: deadline) / .milliseconds(1))
            var watched = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&watched, 1, Int32(left))
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else {
                throw AgentError(
                    .notRunning,
                    "the agent at \(path) has not answered for \(patience.components.seconds) s: it hangs"
                )
            }
            let count = read(socket.descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0, answer.count <= HealthReport.longest else { break }
            answer += buffer[..<count]
        }
        guard let report = HealthReport(bytes: answer) else {
            throw AgentError(.notRunning, "the answer at \(path) is none of an agent of this version")
        }
        return report
    }
}
