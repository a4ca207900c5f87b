import BackupModel
import HTTPClient
import Kubernetes

/// Reaches the leading coordinator through `kubectl port-forward`, with a short-lived token that only it accepts.
actor KubernetesRoute: CoordinatorRoute {
    /// An open way to one pod.
    private struct Door {
        var forward: PortForward
        var http: HTTPClient
    }

    private struct Token {
        var text: String
        var renewAt: ContinuousClock.Instant
    }

    nonisolated let name: String
    private let cluster: Cluster
    private let surroundings: Surroundings
    private var door: Door?
    private var opening: Task<Door, any Error>?
    private var tokens: [CallPurpose: Token] = [:]

    /// The least that the API server gives (TokenRequest); a command that takes longer asks again.
    private static let tokenSeconds = 600

    init(_ cluster: Cluster, _ surroundings: Surroundings) {
        self.cluster = cluster
        self.surroundings = surroundings
        name = "\(cluster.systemNamespace)/\(Install.leaderService) in Kubernetes"
    }

    nonisolated var unreachableHint: String { "see what is wrong: remora doctor" }
    nonisolated var untrustedHint: String {
        "ConfigMap '\(Install.authorityConfigMap)' does not hold the authority of the coordinator's certificate: "
            + "remora doctor"
    }
    nonisolated var unauthorizedHint: String {
        "what each account may do is in the roles of the manifests; yours is the account whose tokens you may make"
    }

    func way(for purpose: CallPurpose) async throws -> CoordinatorWay {
        let door = try await openDoor()
        let token = try await token(for: purpose)
        return CoordinatorWay(url: "https://127.0.0.1:\(door.forward.port)", token: token, http: door.http)
    }

    func leaderIsElsewhere() {
        door?.forward.close()
        door = nil
    }

    // MARK: The way

    private func openDoor() async throws -> Door {
        if let door, door.forward.isOpen { return door }
        door = nil
        // Two calls at once take the same way.
        if let opening { return try await opening.value }
        let task = Task { try await open() }
        opening = task
        defer { opening = nil }
        let opened = try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
        door = opened
        return opened
    }

    private func open() async throws -> Door {
        guard let kubectl = surroundings.program("kubectl") else {
            throw CommandFailure(
                .kubernetes,
                "the way to the coordinator is kubectl port-forward, and there is no kubectl on PATH",
                hint: "install kubectl, or give the coordinator's URL with --coordinator"
            )
        }
        let authority = try await authority()
        let (pod, port) = try await leader()
        let forward = try await PortForward.open(
            kubectl,
            pod: pod,
            namespace: cluster.systemNamespace,
            port: port,
            flags: cluster.kubectlFlags,
            environment: surroundings.environment
        )
        surroundings.atEnd.add { forward.close() }
        var configuration = HTTPClientConfiguration(trust: .pem(Array(authority.utf8)))
        configuration.userAgent = "remora/\(RemoraVersion.current)"
        configuration.serverName = "\(Install.leaderService).\(cluster.systemNamespace).svc"
        // Loopback goes through no proxy, whatever the environment says.
        configuration.proxy = ""
        return Door(forward: forward, http: HTTPClient(configuration))
    }

    private func authority() async throws -> String {
        let name = Install.authorityConfigMap
        let map = try await installed("ConfigMap '\(name)' with the authority of the coordinator's certificate") {
            () async throws(KubernetesError) in
            try await cluster.client.get(.configMaps, name: name, namespace: cluster.systemNamespace)
        }
        guard let pem = map[path: "data", Install.authorityKey]?.string, !pem.isEmpty else {
            throw CommandFailure(
                .kubernetes,
                "ConfigMap '\(name)' in \(cluster.systemNamespace) has no entry \(Install.authorityKey)",
                hint: "the leading coordinator writes it: remora doctor"
            )
        }
        return pem
    }

    /// The pod that leads, and the port of its API.
    private func leader() async throws -> (pod: String, port: Int64) {
        let service = try await installed("Service '\(Install.leaderService)'") { () async throws(KubernetesError) in
            try await cluster.client.get(.services, name: Install.leaderService, namespace: cluster.systemNamespace)
        }
        let options = ListOptions(labelSelector: "\(Install.leaderLabel)=true")
        let pods = try await installed("the coordinator") { () async throws(KubernetesError) in
            try await cluster.client.list(.pods, namespace: cluster.systemNamespace, options: options)
        }
        let leading = pods.items.map(\.tree).first { PodFacts($0).isReady && !PodFacts($0).isEnding }
        guard let leading, let name = leading[path: "metadata", "name"]?.string else {
            throw CommandFailure(
                .unreachable,
                "no coordinator leads in namespace \(cluster.systemNamespace): no ready pod has the label \(Install.leaderLabel)=true",
                hint: "a new leader is there within seconds; if not: remora doctor"
            )
        }
        guard let port = ServicePort.find(service.tree, in: leading) else {
            throw CommandFailure(
                .kubernetes,
                "Service '\(Install.leaderService)' in \(cluster.systemNamespace) leads to no port of pod \(name)",
                hint: Install.applyCommand
            )
        }
        return (name, port)
    }

    private func installed<Value>(
        _ what: String,
        _ body: () async throws(KubernetesError) -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch {
            guard error.isNotFound else { throw CommandFailure(error) }
            throw CommandFailure(
                .kubernetes,
                "\(what) is not in namespace \(cluster.systemNamespace): is Remora installed there?",
                hint: "--system-namespace names another one; to install it: \(Install.applyCommand)"
            )
        }
    }

    // MARK: The token

    private func token(for purpose: CallPurpose) async throws -> String {
        if let token = tokens[purpose], token.renewAt > .now { return token.text }
        let account = purpose == .reading ? Install.viewerAccount : Install.operatorAccount
        let made: AccountToken
        do {
            made = try await cluster.client.requestToken(
                of: account,
                in: cluster.systemNamespace,
                audience: Install.audience,
                seconds: Self.tokenSeconds
            )
        } catch {
            throw failure(error, account: account, purpose)
        }
        tokens[purpose] = Token(text: made.token, renewAt: .now + .seconds(Self.tokenSeconds * 4 / 5))
        return made.token
    }

    private func failure(_ error: KubernetesError, account: String, _ purpose: CallPurpose) -> CommandFailure {
        let namespace = cluster.systemNamespace
        if error.isForbidden {
            let what = purpose == .reading ? "look at backups" : "begin or stop backups and restores"
            return CommandFailure(
                .kubernetes,
                "you may not make a token of service account \(namespace)/\(account), which is needed to \(what): \(error.message)",
                hint:
                    "an administrator may allow it: kubectl create rolebinding NAME -n \(namespace) --role=\(account)-access "
                    + "--user=YOU"
            )
        }
        if error.isNotFound {
            return CommandFailure(
                .kubernetes,
                "there is no service account \(namespace)/\(account): is Remora installed there?",
                hint: "--system-namespace names another one; to install it: \(Install.applyCommand)"
            )
        }
        return CommandFailure(error)
    }
}
