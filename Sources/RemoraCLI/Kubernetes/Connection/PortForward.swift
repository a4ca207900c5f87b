import BackupModel

/// `kubectl port-forward` to one pod, on a port of 127.0.0.1 that nobody else has.
struct PortForward: Sendable {
    private let process: BoundProcess
    /// The port on 127.0.0.1.
    let port: Int

    /// An API server that is far away, and a program for logging in that asks its own server.
    private static let patience = Duration.seconds(60)

    /// Starts it and waits until it accepts connections; `kubectl` is an absolute path.
    static func open(
        _ kubectl: String,
        pod: String,
        namespace: String,
        port: Int64,
        flags: [String],
        environment: [String: String]
    ) async throws -> PortForward {
        let process = BoundProcess(
            kubectl,
            ["port-forward", "--address", "127.0.0.1", "-n", namespace] + flags + ["pod/\(pod)", ":\(port)"],
            environment: environment
        )
        let found: Int?
        do {
            found = try await process.first(within: patience) { lines in lines.lazy.compactMap(port(in:)).first }
        } catch {
            process.end()
            throw error
        }
        guard let found else {
            let reason = process.lines.last.map { ": \($0)" } ?? ""
            let ended = process.hasEnded ? "gave up" : "did not get through in \(patience.components.seconds) s"
            process.end()
            throw CommandFailure(
                .kubernetes,
                "kubectl port-forward to \(namespace)/\(pod) \(ended)\(reason)",
                hint:
                    "it needs the right to create pods/portforward: kubectl auth can-i create pods/portforward -n \(namespace)"
            )
        }
        return PortForward(process: process, port: found)
    }

    /// Whether it still works as far as one can tell: it ends when its pod does.
    var isOpen: Bool { !process.hasEnded }

    /// Ends it.
    func close() { process.end() }

    /// The port in `Forwarding from 127.0.0.1:40123 -> 8443`.
    static func port(in line: String) -> Int? {
        guard let match = line.firstMatch(of: #/^Forwarding from 127\.0\.0\.1:([0-9]{1,5}) ->/#) else { return nil }
        return Int(match.output.1)
    }
}
