import BackupModel
import CPlatform
import Dispatch
import Glibc
import Synchronization

/// How a program ended.
enum ProgramEnding: Sendable, Hashable, CustomStringConvertible {
    case exited(Int32)
    case killed(Int32)

    init(status: siginfo_t) {
        let number = status._sifields._sigchld.si_status
        self = status.si_code == Int32(CLD_EXITED) ? .exited(number) : .killed(number)
    }

    /// In words that follow the program's name.
    var description: String {
        switch self {
        case .exited(let code): "ended with exit code \(code)"
        case .killed(let signal): "was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
        }
    }
}

/// A program in a process group of its own, with pipes to and from it and nothing else of ours.
///
/// A thread belongs to it until it ends: when that thread, and so this process, is gone, the kernel ends the program.
/// Every start is followed by ``end()``, which leaves no process behind.
final class RunningProgram: Sendable {
    private struct State {
        /// Until it is reaped: as long as the number is ours, no signal can go astray.
        var pid: pid_t?
        var ending: ProgramEnding?
        var isAskedToEnd = false
        var waiting: [CheckedContinuation<ProgramEnding, Never>] = []
    }

    /// Between asking a program to end and killing it; an agent that is told to end has 25 s for everything.
    static let grace = DispatchTimeInterval.seconds(5)

    /// What it says: standard error, and of a program that takes input standard output too.
    let errors: PipeReader
    /// What it writes; nil for a program that takes input.
    let output: PipeReader?
    /// What it reads; nil for one that reads nothing.
    let input: PipeWriter?
    private let state: SharedState

    /// Outlives the program's object within the thread and the readers.
    private final class SharedState: Sendable {
        let value = Mutex(State())
        /// Whether nobody is there any more who should write: it was told to end, and did.
        var isAbandoned: Bool { value.withLock { $0.isAskedToEnd && $0.ending != nil } }
        var hasEnded: Bool { value.withLock { $0.ending != nil } }
    }

    private init(_ state: SharedState, errors: PipeReader, output: PipeReader?, input: PipeWriter?) {
        self.state = state
        self.errors = errors
        self.output = output
        self.input = input
    }

    /// Starts a program.
    ///
    /// - Throws: `JobFailure` when the system has no process or no descriptor to give.
    static func start(_ command: ResolvedCommand, name: String, takesInput: Bool) async throws -> RunningProgram {
        let state = SharedState()
        let errors = try Pipe(name)
        let other = try Pipe(name)
        let program = RunningProgram(
            state,
            errors: PipeReader(errors.readEnd, program: name) { state.isAbandoned },
            output: takesInput ? nil : PipeReader(other.readEnd, program: name) { state.isAbandoned },
            input: takesInput
                ? PipeWriter(other.writeEnd, readEnd: other.readEnd, program: name) { state.hasEnded } : nil
        )
        let words = [name] + command.arguments
        let variables = command.environment.map { "\($0.key)=\($0.value)" }
        let code: Int32 = await withCheckedContinuation { started in
            DispatchQueue(label: "remora.program").async {
                var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
                var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
                let pid = remora_spawn_bound(
                    command.path,
                    &argv,
                    &envp,
                    takesInput ? other.readEnd.number : -1,
                    takesInput ? errors.writeEnd.number : other.writeEnd.number,
                    errors.writeEnd.number
                )
                let code = errno
                for text in argv + envp { free(text) }
                // Ours would keep the readers from ever seeing the end.
                errors.writeEnd.close()
                if !takesInput { other.writeEnd.close() }
                guard pid > 0 else { return started.resume(returning: code) }
                // Here too, so that a signal to the group finds it even before the child has come so far.
                setpgid(pid, pid)
                state.value.withLock { $0.pid = pid }
                started.resume(returning: 0)
                Self.watch(pid, state)
            }
        }
        guard code == 0 else { throw CommandFailure.notStarted(name, String(cString: strerror(code))) }
        return program
    }

    /// Waits for the end without reaping.
    private static func watch(_ pid: pid_t, _ state: SharedState) {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        let ending = ProgramEnding(status: information)
        let waiting = state.value.withLock { state in
            state.ending = ending
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: ending) }
    }

    /// How it ended, when it has.
    func ending() async -> ProgramEnding {
        await withCheckedContinuation { continuation in
            let known = state.value.withLock { state -> ProgramEnding? in
                if state.ending == nil { state.waiting.append(continuation) }
                return state.ending
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    /// Asks it and all that it started to end, and kills what doesn't; returns at once.
    func stop() {
        let isFirst = state.value.withLock { state in
            guard let pid = state.pid, !state.isAskedToEnd else { return false }
            state.isAskedToEnd = true
            kill(-pid, SIGTERM)
            return state.ending == nil
        }
        guard isFirst else { return }
        let shared = state
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.grace) {
            shared.value.withLock { state in
                if let pid = state.pid { _ = kill(-pid, SIGKILL) }
            }
        }
    }

    /// Ends what is left of it and of all that it started, and reaps it.
    func end() async -> ProgramEnding {
        if state.value.withLock({ $0.ending == nil }) { stop() }
        let ending = await ending()
        state.value.withLock { state in
            guard let pid = state.pid else { return }
            state.isAskedToEnd = true
            kill(-pid, SIGKILL)
            while waitpid(pid, nil, 0) < 0 && errno == EINTR {}
            state.pid = nil
        }
        return ending
    }
}
