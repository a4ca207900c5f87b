import Glibc

/// The little that the agent wants from its process.
enum Process {
    /// Exit codes of the agent.
    enum Code: Int32 {
        case success = 0
        /// Failed, or `--check` found a problem.
        case failure = 1
        /// The command line or the configuration makes no sense.
        case usage = 2
    }

    /// Says why on standard error (on standard output for help) and ends.
    static func end(_ message: String, _ code: Code) -> Never {
        if !message.isEmpty { write(message, to: code == .success ? 1 : 2) }
        exit(code.rawValue)
    }

    /// Ends with a worker's exit code.
    static func end(as code: Int32) -> Never { exit(code) }

    /// Whether this is the first process of a container (or of a machine).
    static var isFirst: Bool { getpid() == 1 }

    /// Has this process end in good order, as if somebody had asked from outside.
    static func askToEnd() { kill(getpid(), SIGTERM) }

    /// A line on standard error.
    static func say(_ text: String) { write(text, to: 2) }

    /// A line on standard output.
    static func print(_ text: String) { write(text, to: 1) }

    /// A crash must not leave passwords on disk.
    static func forbidCoreDumps() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    }

    /// The environment.
    static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }

    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array("\(text)\n".utf8)
        // A reader that went away is no reason to end differently.
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
