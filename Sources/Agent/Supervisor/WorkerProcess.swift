import Glibc

/// A worker: this same program once more, with a socket over which it says how it is.
final class WorkerProcess: Sendable {
    let pid: pid_t
    /// To be watched for the worker's words.
    let descriptor: Int32

    /// Starts it.
    ///
    /// - Parameters:
    ///   - program: path of this program.
    ///   - arguments: without the program's name.
    /// - Throws: `AgentError` when the system has no process or no memory to give.
    init(program: String, arguments: [String]) throws(AgentError) {
        var pair: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
            throw AgentError(.worker, "can't make a socket for the worker: \(lastErrorText())")
        }
        defer { close(pair[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The child's end survives the exec under a number that it is told.
        posix_spawn_file_actions_adddup2(&actions, pair[1], SupervisorLink.descriptor)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The supervisor reads its signals from a descriptor; the worker gets them as they come.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        var words: [UnsafeMutablePointer<CChar>?] = (["remora-agent"] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        setenv(SupervisorLink.variable, "\(SupervisorLink.descriptor)", 1)
        defer { unsetenv(SupervisorLink.variable) }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, program, &actions, &attributes, &words, environ)
        guard code == 0 else {
            close(pair[0])
            throw AgentError(.worker, "can't start \(program): \(String(cString: strerror(code)))")
        }
        self.pid = pid
        descriptor = pair[0]
    }

    deinit { close(descriptor) }

    /// What it has said since the last time, in order; never waits.
    func words() -> [HealthReport] {
        var reports: [HealthReport] = []
        var buffer = [UInt8](repeating: 0, count: HealthReport.longest)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return reports }
            if let report = HealthReport(bytes: buffer[..<count]) { reports.append(report) }
        }
    }
}

/// The worker's end of the socket to its supervisor.
public struct SupervisorLink: Sendable {
    /// Number of the descriptor in the worker.
    static let descriptor: Int32 = 3
    /// The variable that says that there is one.
    static let variable = "REMORA_SUPERVISOR_DESCRIPTOR"

    private let descriptor: Int32

    /// The link to the supervisor that started this process; nil when none did.
    public static func inherited() -> SupervisorLink? {
        guard let text = getenv(variable), let descriptor = Int32(String(cString: text)) else { return nil }
        // Not for the worker's own children, of which there are none today.
        unsetenv(variable)
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
        return SupervisorLink(descriptor: descriptor)
    }

    /// Says how the worker is; never waits: a supervisor that doesn't read must not hold a backup up.
    ///
    /// - Returns: false when there is no supervisor any more, who would start another worker beside this one.
    @discardableResult
    public func tell(_ report: HealthReport) -> Bool {
        let bytes = report.bytes
        let sent = bytes.withUnsafeBytes {
            send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
        return sent >= 0 || errno == EAGAIN || errno == EINTR
    }
}
