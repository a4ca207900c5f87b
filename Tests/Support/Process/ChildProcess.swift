import Foundation
public import Glibc
import Synchronization

/// How a child process ended.
public enum ExitStatus: Sendable, Hashable, CustomStringConvertible {
    /// It returned this code.
    case code(Int32)
    /// This signal ended it.
    case signal(Int32)

    /// Whether it returned 0.
    public var succeeded: Bool { self == .code(0) }

    /// For messages.
    public var description: String {
        switch self {
        case .code(let code): "exit code \(code)"
        case .signal(let signal): "signal \(signal)"
        }
    }
}

/// What to start, and where its output goes.
struct Launch: Sendable {
    var program: String
    var arguments: [String] = []
    /// Laid over this process's own environment; `nil` takes a variable out.
    var environment: [String: String?] = [:]
    var directory: String?
    /// Open files to become the child's standard input, output and error; the caller closes its own.
    var standardInput: Int32
    var standardOutput: Int32
    var standardError: Int32
}

/// What a process has used from its start to its end, by the kernel's own accounting.
public struct ResourceUsage: Sendable, Hashable {
    /// Seconds of processor time, in the program and in the kernel on its behalf.
    public let cpuSeconds: Double
    /// The most memory it held at once, in bytes.
    public let peakBytes: Int

    init(_ usage: rusage) {
        cpuSeconds =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        peakBytes = usage.ru_maxrss << 10
    }
}

/// A child process that dies with this one, ends by its own process id, and never leaves a zombie.
public final class ChildProcess: Sendable {
    /// Its process id.
    public let pid: pid_t
    /// The program's file name, for messages.
    public let name: String

    private struct State {
        var status: ExitStatus?
        var usage: ResourceUsage?
        var waiters: [CheckedContinuation<ExitStatus, Never>] = []
    }
    private let state = Mutex(State())

    private init(pid: pid_t, name: String) {
        self.pid = pid
        self.name = name
    }

    /// How it ended; `nil` while it runs.
    public var status: ExitStatus? { state.withLock { $0.status } }

    /// What it has used in all; `nil` while it runs.
    public var usage: ResourceUsage? { state.withLock { $0.usage } }

    /// Whether it hasn't ended yet.
    public var isRunning: Bool { status == nil }

    /// Starts a process.
    static func start(_ launch: Launch) async throws -> ChildProcess {
        let name = URL(fileURLWithPath: launch.program).lastPathComponent
        let spawned = await SpawnThread.shared.run { spawn(launch) }
        guard case .success(let pid) = spawned else {
            if case .failure(let error) = spawned { throw error }
            throw TestSupportError("cannot start \(launch.program)")
        }
        let child = ChildProcess(pid: pid, name: name)
        let thread = Thread { child.reap() }
        thread.name = "wait-\(name)"
        thread.stackSize = 256 << 10
        thread.start()
        return child
    }

    /// Waits until it has ended.
    public func wait() async -> ExitStatus {
        await withCheckedContinuation { continuation in
            let status = state.withLock { state in
                if state.status == nil { state.waiters.append(continuation) }
                return state.status
            }
            if let status { continuation.resume(returning: status) }
        }
    }

    /// Sends a signal, unless it has ended: its process id may be another's by then.
    public func send(signal: Int32) {
        state.withLock { state in
            if state.status == nil { _ = Glibc.kill(pid, signal) }
        }
    }

    /// Ends it as a crash would (SIGKILL) and waits until it is gone.
    @discardableResult public func kill() async -> ExitStatus {
        send(signal: SIGKILL)
        return await wait()
    }

    /// Asks it to end (SIGTERM), and kills it when it hasn't within `grace`.
    @discardableResult public func terminate(grace: Duration = .seconds(10)) async -> ExitStatus {
        send(signal: SIGTERM)
        return await wait(atMost: grace)
    }

    /// Waits until it has ended, and kills it when it hasn't within `limit`.
    public func wait(atMost limit: Duration) async -> ExitStatus {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Cancelled as soon as the process has ended, so its error says nothing.
                guard (try? await Task.sleep(for: limit)) != nil else { return }
                self.send(signal: SIGKILL)
            }
            let status = await wait()
            group.cancelAll()
            return status
        }
    }

    private func reap() {
        var information = siginfo_t()
        // Looks without reaping first: until the lock is held, the process id stays taken and no signal can go astray.
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        let (status, waiters) = state.withLock { state in
            var raw: Int32 = 0
            var used = rusage()
            while wait4(pid, &raw, 0, &used) < 0 && errno == EINTR {}
            state.usage = ResourceUsage(used)
            let status: ExitStatus = raw & 0x7f == 0 ? .code((raw >> 8) & 0xff) : .signal(raw & 0x7f)
            defer { state.waiters = [] }
            state.status = status
            return (status, state.waiters)
        }
        for waiter in waiters { waiter.resume(returning: status) }
    }
}

private typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

/// `posix_spawn_file_actions_addclosefrom_np`, which glibc 2.34 and later has, but Swift's view of its headers hides.
private let closeFrom: CloseFrom? = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np").map {
    unsafeBitCast($0, to: CloseFrom.self)
}

private func spawn(_ launch: Launch) -> Result<pid_t, TestSupportError> {
    var environment = ProcessInfo.processInfo.environment
    for (name, value) in launch.environment { environment[name] = value }

    // util-linux's setpriv sets PR_SET_PDEATHSIG and becomes the program: the process id is the server's own.
    let words =
        ["setpriv", "--pdeathsig", "KILL", "--"] + (launch.directory.map { ["env", "--chdir=\($0)"] } ?? [])
        + [launch.program] + launch.arguments
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in arguments + variables { free(text) } }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, launch.standardInput, 0)
    posix_spawn_file_actions_adddup2(&actions, launch.standardOutput, 1)
    posix_spawn_file_actions_adddup2(&actions, launch.standardError, 2)
    // A server that inherits another test's sockets or pipes keeps them open.
    _ = closeFrom?(&actions, 3)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    var ignored = sigset_t()
    sigemptyset(&ignored)
    sigaddset(&ignored, SIGPIPE)
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setsigdefault(&attributes, &ignored)
    // Its own process group: Ctrl-C in a terminal reaches the test process alone, which takes its children with it.
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes,
        Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)
    )

    var pid: pid_t = 0
    let code = posix_spawnp(&pid, "setpriv", &actions, &attributes, &arguments, &variables)
    guard code == 0 else {
        return .failure(
            TestSupportError(
                "cannot start \(launch.program): \(String(cString: strerror(code))); is util-linux (setpriv) installed?"
            )
        )
    }
    return .success(pid)
}
