import Dispatch
import Glibc

/// Runs a program and takes what it prints; its standard error is ours, so that a person sees what it says.
struct Program: Sendable {
    /// Why there is no output.
    struct Failure: Error {
        var reason: String
    }

    let command: String
    let arguments: [String]
    let environment: [String: String]
    /// Whether it gets our standard input; otherwise it reads nothing.
    let readsTerminal: Bool
    /// A program that waits for a person may take minutes; one that hangs must not hang us for ever.
    var limit: Duration = .seconds(300)

    private static let largest = 4 << 20

    func output() async throws(Failure) -> [UInt8] {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<[UInt8], Failure>, Never>) in
            // A serial queue gets a thread of its own, outside the cooperative pool.
            DispatchQueue(label: "program").async {
                do throws(Failure) {
                    continuation.resume(returning: .success(try run()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    private func run() throws(Failure) -> [UInt8] {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(reason: "no pipe: \(Self.reason(errno))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let pid: pid_t
        do throws(Failure) {
            pid = try spawn(output: ends[1])
            close(ends[1])
        } catch {
            close(ends[1])
            throw error
        }
        var status: Int32 = 0
        let output: [UInt8]
        do throws(Failure) {
            output = try read(ends[0])
        } catch {
            kill(pid, SIGKILL)
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            throw error
        }
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        guard status & 0x7F == 0 else { throw Failure(reason: "it was ended by signal \(status & 0x7F)") }
        guard status == 0 else { throw Failure(reason: "it failed with exit code \((status >> 8) & 0xFF)") }
        return output
    }

    private func spawn(output: Int32) throws(Failure) -> pid_t {
        var words: [UnsafeMutablePointer<CChar>?] = ([command] + arguments).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if !readsTerminal { posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) }
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Threads of ours block signals that a program must be able to get.
        var none = sigset_t()
        sigemptyset(&none)
        var restored = sigset_t()
        sigemptyset(&restored)
        sigaddset(&restored, SIGPIPE)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &restored)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, command, &actions, &attributes, &words, &variables)
        guard code == 0 else { throw Failure(reason: "it can't be started: \(Self.reason(code))") }
        return pid
    }

    private func read(_ descriptor: Int32) throws(Failure) -> [UInt8] {
        let deadline = ContinuousClock.now + limit
        var output: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let left = Int32(max(0, (deadline - .now) / .milliseconds(1)))
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&wanted, 1, left)
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { throw Failure(reason: "it didn't come to an end within \(limit)") }
            let count = Glibc.read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return output }
            output += part[..<count]
            if output.count > Self.largest { throw Failure(reason: "it printed more than \(Self.largest) bytes") }
        }
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
