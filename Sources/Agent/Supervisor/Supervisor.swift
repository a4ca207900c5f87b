import BackupModel
import CPlatform
import Glibc

/// The first process of an agent's container: keeps a worker running, and never ends unless it is told to.
///
/// One thread that sleeps in `poll`; it holds no configuration and no secret, and what it remembers doesn't grow.
public final class Supervisor {
    private let program: String
    private let arguments: [String]
    private let stateDirectory: String
    private let signals: Int32

    private var supervision = Supervision(at: .now)
    private var worker: WorkerProcess?
    private var socket: HealthSocket?
    /// Why there is no socket, so that it is told once and not every second.
    private var socketProblem = ""
    /// The signal that told us to end.
    private var ending: Int32?

    /// Makes one; must be called before the process has a second thread.
    ///
    /// - Parameters:
    ///   - program: path of this program.
    ///   - arguments: the worker's, without the program's name.
    ///   - stateDirectory: the agent's, for `health.sock`.
    /// - Throws: `AgentError` when the system refuses a descriptor.
    public init(program: String, arguments: [String], stateDirectory: String) throws(AgentError) {
        self.program = program
        self.arguments = arguments
        self.stateDirectory = stateDirectory
        signals = remora_signal_descriptor()
        guard signals >= 0 else { throw AgentError(.worker, "can't watch for signals: \(lastErrorText())") }
    }

    deinit { close(signals) }

    /// Works until SIGTERM or SIGINT.
    ///
    /// - Returns: the exit code: the last worker's, or 0 when none ran at that moment.
    public func run() -> Int32 {
        var last = ContinuousClock.now
        while true {
            startIfDue()
            if ending != nil, worker == nil { return 0 }
            openSocketIfNeeded()
            wait()
            let now = ContinuousClock.now
            supervision.passed(last.duration(to: now))
            last = now
            takeSignals()
            hearWorker()
            if let code = reap(), ending != nil { return code }
            killIfStuck()
            socket?.answer(supervision.health(at: .now))
        }
    }

    // MARK: The worker

    private func startIfDue() {
        guard ending == nil, worker == nil, supervision.isStartDue(at: .now) else { return }
        do throws(AgentError) {
            worker = try WorkerProcess(program: program, arguments: arguments)
            supervision.started(at: .now)
        } catch {
            say(supervision.ended("could not be started: \(error.message)", at: .now))
        }
    }

    private func hearWorker() {
        guard let words = worker?.words() else { return }
        for report in words { supervision.heard(report) }
    }

    /// Reaps whatever has ended: as process 1 also what others left behind.
    ///
    /// - Returns: the exit code if it was the worker.
    private func reap() -> Int32? {
        var result: Int32?
        while true {
            var status: Int32 = 0
            let pid = waitpid(-1, &status, WNOHANG)
            if pid < 0, errno == EINTR { continue }
            guard pid > 0 else { return result }
            guard pid == worker?.pid else { continue }
            // What it said last is still in the socket.
            hearWorker()
            worker = nil
            let signal = status & 0x7f
            result = signal == 0 ? status >> 8 & 0xff : 128 + signal
            let how = signal == 0 ? "ended with code \(status >> 8 & 0xff)" : "was ended by signal \(signal)"
            let sentence = supervision.ended(how, at: .now)
            if ending == nil { say(sentence) }
        }
    }

    private func killIfStuck() {
        guard let worker, supervision.isStuck else { return }
        say("the worker has said nothing for \(Supervision.longestSilence.components.seconds) s and is killed")
        kill(worker.pid, SIGKILL)
        // Once is enough: the next round would only say it again.
        supervision.heard(HealthReport(.troubled, "it hung"))
    }

    // MARK: Signals

    private func takeSignals() {
        while true {
            let signal = remora_next_signal(signals)
            guard signal != 0 else { return }
            guard signal == SIGTERM || signal == SIGINT else { continue }
            ending = signal
            if let worker { kill(worker.pid, signal) }
        }
    }

    // MARK: Waiting

    private func openSocketIfNeeded() {
        guard socket == nil else { return }
        do {
            socket = try HealthSocket(stateDirectory: stateDirectory)
            socketProblem = ""
        } catch {
            let problem = "\(error)"
            if problem != socketProblem { say("`remora-agent health` gets no answer: \(problem)") }
            socketProblem = problem
        }
    }

    /// Until something happens, or a second has passed: nothing here is more urgent than that.
    private func wait() {
        var watched = [pollfd(fd: signals, events: Int16(POLLIN), revents: 0)]
        if let descriptor = socket?.descriptor {
            watched.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        }
        if let descriptor = worker?.descriptor {
            watched.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        }
        // Interrupted: then the next round looks at everything just as well.
        _ = poll(&watched, nfds_t(watched.count), 1000)
    }

    private func say(_ message: String) {
        let line = LogLine(t: WallClock.unixMilliseconds(), level: "error", component: "supervisor", message: message)
        var output = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
        // Who doesn't read the log must not keep us from our worker; a pipe that is ready takes a line of this length.
        guard poll(&output, 1, 0) > 0 else { return }
        // Nobody reads standard error any more: there is no place left to say so.
        _ = writeAll(2, NDJSON.line(line))
    }
}
