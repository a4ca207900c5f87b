import ArgumentParser
import BackupModel
import Foundation

/// How answers are written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text, json
}

/// `-o text|json`.
struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "How the answer is written.")
    var output: OutputFormat = .text

    var isJSON: Bool { output == .json }

    /// Writes an answer: the value itself as JSON, or the page made of it.
    func show(_ value: some Encodable, page: () -> Page) throws {
        let console = Surroundings.current.console
        if isJSON {
            console.write(try WireJSON.encode(value, pretty: true) + [UInt8(ascii: "\n")])
        } else {
            console.print(page().spoken(as: Surroundings.current.programName))
        }
    }
}

/// `-n NAMESPACE`.
struct NamespaceOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: "Namespace; if left out: the only one there is, or the one in which the name is found."
    )
    var namespace: String?
}

/// Which coordinator, and what opens it.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "URL of the coordinator. REMORA_COORDINATOR; default: \(ConnectionOptions.defaultURL)")
    var coordinator: String?

    @Option(help: "File with the coordinator's token (admin.token in its state directory). REMORA_TOKEN_FILE")
    var tokenFile: String?

    @Option(help: "PEM file with the authority of the coordinator's certificate. REMORA_CA_FILE")
    var caFile: String?

    @OptionGroup(title: "Kubernetes") var cluster: ClusterOptions

    static let defaultURL = "http://127.0.0.1:7480"

    /// The client for these options and these surroundings; nothing is sent yet.
    func client() throws -> CoordinatorClient { CoordinatorClient(try route()) }

    /// How the coordinator is reached.
    func route() throws -> any CoordinatorRoute {
        let surroundings = Surroundings.current
        guard try isInKubernetes(surroundings) else {
            let url = coordinator ?? surroundings.variable("REMORA_COORDINATOR") ?? Self.defaultURL
            let token = try (tokenFile ?? surroundings.variable("REMORA_TOKEN_FILE")).map(Self.readToken)
            return try DirectRoute(url: url, token: token, caFile: caFile ?? surroundings.variable("REMORA_CA_FILE"))
        }
        return KubernetesRoute(try Cluster.open(cluster, surroundings), surroundings)
    }

    /// Whether the coordinator is one in Kubernetes: said by an option, by being a plugin of kubectl, or by a variable.
    ///
    /// An option wins over variables, and the coordinator's URL over being a plugin.
    func isInKubernetes(_ surroundings: Surroundings) throws -> Bool {
        if cluster.isGiven {
            guard coordinator == nil else {
                throw CommandFailure(
                    .usage,
                    "--coordinator says where the coordinator is, and so do the options for Kubernetes: give one of them"
                )
            }
            return true
        }
        if coordinator != nil || surroundings.variable("REMORA_COORDINATOR") != nil { return false }
        let word = surroundings.variable("REMORA_VIA_KUBERNETES")?.lowercased()
        switch word {
        case nil: return surroundings.isPlugin
        case "1", "true", "yes": return true
        case "0", "false", "no": return false
        case let word?:
            throw CommandFailure(.usage, "REMORA_VIA_KUBERNETES is '\(Printable.escape(word))'; it may be 1 or 0")
        }
    }

    private static func readToken(_ path: String) throws -> String {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw CommandFailure(
                .unauthorized,
                "can't read the token file \(path): \(Self.reason(error))",
                hint: "it is admin.token in the coordinator's state directory, readable by its owner only"
            )
        }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CommandFailure(.unauthorized, "the token file \(path) holds no token")
        }
        return token
    }

    /// Why a file can't be read, in the system's words.
    static func reason(_ error: any Error) -> String {
        if let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code {
            return String(cString: strerror(Int32(code)))
        }
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile?, .fileNoSuchFile?: return "there is no such file"
        case .fileReadNoPermission?: return "no permission"
        default: return error.localizedDescription
        }
    }
}
