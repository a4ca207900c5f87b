import Foundation
import Glibc

/// A network of its own for some processes, tied to this host by links that a test can cut: pulled cables, no closed
/// ports.
///
/// What is sent into a link that is cut gets lost, and nobody is told: connections hang until somebody loses patience.
/// The network belongs to one process that does nothing and dies with the tests; all its links go with it, so nothing is
/// left behind on any way out.
public final class NetworkNamespace: Sendable {
    /// A link between the host and the inside.
    public struct Link: Sendable {
        /// What the interface inside is called.
        public let name: String
        /// The host's end.
        public let outside: String
        /// The end inside.
        public let inside: String
    }

    private let holder: ChildProcess
    private let links: [Link]

    /// Makes a network with links of these names, 15 bytes each at most.
    ///
    /// - Throws: `TestSupportError` that says what is needed, where that isn't allowed.
    public static func make(links names: [String]) async throws -> NetworkNamespace {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        let holder = try await ChildProcess.start(
            Launch(
                program: try Tools.find("unshare", variable: "REMORA_UNSHARE"),
                arguments: ["--net", "sleep", "infinity"],
                standardInput: null,
                standardOutput: null,
                standardError: null
            )
        )
        do {
            let own = try network(of: "self")
            try await eventually("there is a network namespace", within: .seconds(30)) {
                guard holder.isRunning else { throw FatalWaitError("unshare ended; \(needs)") }
                return try network(of: "\(holder.pid)") != own
            }
            var links: [Link] = []
            for (index, name) in names.enumerated() {
                links.append(try await makeLink(name, outside: "rm\(holder.pid)x\(index)", holder))
            }
            try await ip(inside: holder, "link", "set", "lo", "up")
            return NetworkNamespace(holder, links)
        } catch {
            await holder.kill()
            throw error
        }
    }

    private init(_ holder: ChildProcess, _ links: [Link]) {
        self.holder = holder
        self.links = links
    }

    deinit { holder.send(signal: SIGKILL) }

    /// The link of that name.
    ///
    /// - Throws: `TestSupportError` when there is none.
    public func link(_ name: String) throws -> Link {
        guard let link = links.first(where: { $0.name == name }) else {
            throw TestSupportError("there is no link \(name), only \(links.map(\.name))")
        }
        return link
    }

    /// All addresses inside but loopback.
    public var addresses: [String] { links.map(\.inside) }

    /// What runs a program inside: the process id is the program's own.
    public func command(_ program: String, _ arguments: [String]) throws -> (program: String, arguments: [String]) {
        try Self.enter(holder, program, arguments)
    }

    /// Pulls the cable.
    public func cut(_ name: String) async throws {
        try await Self.ip(inside: holder, "link", "set", link(name).name, "down")
    }

    /// Puts it back.
    public func mend(_ name: String) async throws {
        try await Self.ip(inside: holder, "link", "set", link(name).name, "up")
    }

    /// Ends it and removes its links; processes inside are left without a network.
    public func end() async { await holder.kill() }

    // MARK: Making it

    private static let needs =
        "a test of a cut network makes network namespaces: run it as root, in a container with CAP_SYS_ADMIN and CAP_NET_ADMIN"

    private static func network(of process: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
    }

    private static func makeLink(_ name: String, outside: String, _ holder: ChildProcess) async throws -> Link {
        let tool = try Tools.find("ip", variable: "REMORA_IP")
        let peer = ["peer", "name", name, "netns", "\(holder.pid)"]
        try await run(tool, ["link", "add", outside, "type", "veth"] + peer)
        // The kernel's number of the interface: no two at a time have the same, in whatever process the tests run.
        let text = try String(contentsOfFile: "/sys/class/net/\(outside)/ifindex", encoding: .utf8)
        guard let number = Int(text.prefix { $0.isNumber }) else { throw TestSupportError("\(outside) has no number") }
        let prefix = "10.213.\(number >> 6 & 255)."
        let first = (number & 63) << 2
        let link = Link(name: name, outside: "\(prefix)\(first + 1)", inside: "\(prefix)\(first + 2)")
        try await run(tool, ["address", "add", "\(link.outside)/30", "dev", outside])
        try await run(tool, ["link", "set", outside, "up"])
        try await ip(inside: holder, "address", "add", "\(link.inside)/30", "dev", name)
        try await ip(inside: holder, "link", "set", name, "up")
        return link
    }

    private static func ip(inside holder: ChildProcess, _ arguments: String...) async throws {
        let (program, all) = try enter(holder, try Tools.find("ip", variable: "REMORA_IP"), arguments)
        try await run(program, all)
    }

    private static func enter(
        _ holder: ChildProcess,
        _ program: String,
        _ arguments: [String]
    ) throws -> (program: String, arguments: [String]) {
        (
            try Tools.find("nsenter", variable: "REMORA_NSENTER"),
            ["--net=/proc/\(holder.pid)/ns/net", "--", program] + arguments
        )
    }

    private static func run(_ program: String, _ arguments: [String]) async throws {
        let output = try await Command(program, arguments).output()
        guard output.status.succeeded else {
            throw TestSupportError("\(program) \(arguments.joined(separator: " ")): \(output.errorText); \(needs)")
        }
    }
}

/// Runs `body` with a network of its own and removes it in any case.
public func withNetworkNamespace<Result>(
    links: [String],
    _ body: (NetworkNamespace) async throws -> Result
) async throws -> Result {
    let namespace = try await NetworkNamespace.make(links: links)
    do {
        let result = try await body(namespace)
        await namespace.end()
        return result
    } catch {
        await namespace.end()
        throw error
    }
}
