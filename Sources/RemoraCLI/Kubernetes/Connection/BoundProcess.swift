import CPlatform
import Foundation
import Glibc
import Synchronization

/// A program that serves this process, and ends with it whatever happens: at the latest the kernel ends it.
final class BoundProcess: Sendable {
    private struct State {
        var pid: pid_t?
        /// The end of what it wrote.
        var lines: [String] = []
        var hasEnded = false
        var problem: String?
    }
    private let state = Mutex(State())
    let name: String

    /// Lines that are kept for messages.
    private static let keptLines = 50

    /// Starts a program by its absolute path; that it could not be started shows as its end.
    init(_ program: String, _ arguments: [String], environment: [String: String]) {
        name = URL(fileURLWithPath: program).lastPathComponent
        // One thread starts it, reads from it and outlives it: the kernel ends it with that thread.
        let thread = Thread { [self] in run(program, arguments, environment) }
        thread.name = "run-\(name)"
        thread.stackSize = 256 << 10
        thread.start()
    }

    /// Whether it has ended, or never ran.
    var hasEnded: Bool { state.withLock(\.hasEnded) }

    /// The last lines of both its outputs.
    var lines: [String] { state.withLock { $0.problem.map { [$0] } ?? $0.lines } }

    /// Gives what `find` finds in its lines, as soon as it does; nil when it ends before, or after `limit`.
    func first<Found>(within limit: Duration, _ find: ([String]) -> Found?) async throws -> Found? {
        let deadline = ContinuousClock.now + limit
        while true {
            let (lines, hasEnded) = state.withLock { ($0.lines, $0.hasEnded) }
            if let found = find(lines) { return found }
            guard !hasEnded, ContinuousClock.now < deadline else { return nil }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Asks it to end, by its own process id.
    func end() {
        state.withLock { state in
            // Reaped under this lock: as long as there is a number it is this program's.
            if let pid = state.pid { kill(pid, SIGTERM) }
        }
    }

    // MARK: Inside

    private func run(_ program: String, _ arguments: [String], _ environment: [String: String]) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return fail(program, errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        let pid = remora_spawn_bound(program, &argv, &envp, -1, ends[1], ends[1])
        let code = errno
        close(ends[1])
        for text in argv + envp { free(text) }
        guard pid > 0 else { return fail(program, code) }
        state.withLock { $0.pid = pid }
        read(from: ends[0])
        var information = siginfo_t()
        // Looks without reaping: until the lock is held the number stays taken, and no signal can go astray.
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        state.withLock { state in
            while waitpid(pid, nil, 0) < 0 && errno == EINTR {}
            state.pid = nil
            state.hasEnded = true
        }
    }

    private func fail(_ program: String, _ code: Int32) {
        state.withLock { state in
            state.problem = "can't start \(program): \(String(cString: strerror(code)))"
            state.hasEnded = true
        }
    }

    private func read(from descriptor: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var rest: [UInt8] = []
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest += buffer[..<count]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                add(rest[..<end])
                rest.removeFirst(end + 1)
            }
            // A program that never ends its line can't make us hold more than this.
            if rest.count > 64 << 10 { rest = [] }
        }
        if !rest.isEmpty { add(rest[...]) }
    }

    private func add(_ line: ArraySlice<UInt8>) {
        let text = String(decoding: line, as: UTF8.self)
        state.withLock { state in
            state.lines.append(text)
            if state.lines.count > Self.keptLines { state.lines.removeFirst() }
        }
    }
}
