import BackupModel
import HTTPClient

/// What a call is for: people may be allowed to look and not to change anything.
enum CallPurpose: Sendable, Hashable {
    case reading, changing
}

/// Where the next call goes, and what opens the door.
struct CoordinatorWay: Sendable {
    /// Without a slash at its end.
    var url: String
    var token: String?
    var http: HTTPClient
}

/// Knows how to reach the coordinator.
protocol CoordinatorRoute: Sendable {
    /// Where the coordinator is, for people.
    var name: String { get }
    /// What to do when nobody answers there.
    var unreachableHint: String { get }
    /// What to do when the certificate isn't trusted.
    var untrustedHint: String { get }
    /// What to do when the coordinator refuses the caller.
    var unauthorizedHint: String { get }
    /// The way that a call takes now.
    func way(for purpose: CallPurpose) async throws -> CoordinatorWay
    /// Who answered does not lead: the next call has to take another way, if there may be one.
    func leaderIsElsewhere() async
}

/// A URL, and a token or none.
struct DirectRoute: CoordinatorRoute {
    let name: String
    private let way: CoordinatorWay

    /// Makes a route; nothing is sent yet.
    ///
    /// - Throws: `CommandFailure` for a URL that can't be one, or that would carry the token unencrypted over a network.
    init(url text: String, token: String?, caFile: String?) throws {
        var url = text
        while url.hasSuffix("/") { url.removeLast() }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.hasSuffix(":/") else {
            throw CommandFailure(
                .usage,
                "the coordinator's URL is '\(text)'; it looks like \(ConnectionOptions.defaultURL) or https://host:port"
            )
        }
        if token != nil, url.hasPrefix("http://"), !Self.isLoopback(url) {
            throw CommandFailure(
                .usage,
                "the token would cross the network unencrypted to \(url)",
                hint: "use https:// (with --ca-file for a private authority), or a port-forward to 127.0.0.1"
            )
        }
        name = url
        var configuration = HTTPClientConfiguration(caFile: caFile)
        configuration.userAgent = "remora/\(RemoraVersion.current)"
        way = CoordinatorWay(url: url, token: token, http: HTTPClient(configuration))
    }

    var unreachableHint: String {
        "check that it runs; another address is given by --coordinator or REMORA_COORDINATOR, and one in Kubernetes is "
            + "reached by --via-kubernetes"
    }
    var untrustedHint: String { "give the authority of its certificate with --ca-file or REMORA_CA_FILE" }
    var unauthorizedHint: String {
        "give --token-file or REMORA_TOKEN_FILE: admin.token in the coordinator's state directory"
    }

    func way(for purpose: CallPurpose) -> CoordinatorWay { way }

    func leaderIsElsewhere() {}

    private static func isLoopback(_ url: String) -> Bool {
        let authority = url.dropFirst("http://".count).prefix { $0 != "/" && $0 != "?" }
        if authority.hasPrefix("[::1]") { return true }
        let host = authority.prefix { $0 != ":" }
        return host == "localhost" || (host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." })
    }
}
