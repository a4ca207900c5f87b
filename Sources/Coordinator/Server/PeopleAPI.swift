import BackupModel
import Hummingbird
import Logging

/// The people's side of the server: `/api/v1/…` (``UserAPI``).
struct PeopleAPI: Sendable {
    let conductor: Conductor
    let keeper: RepositoryKeeper
    let logs: LogShelf
    /// Lets people change things.
    let adminToken: [UInt8]
    /// Whether reading needs no token, because the server listens on loopback only.
    let isReadableWithoutToken: Bool
    let logger: Logger

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/api/v1/status") { request, _ in
            try authorize(request)
            return try Answers.json(try await conductor.status())
        }
        router.get("/api/v1/sessions") { request, _ in
            try authorize(request)
            let query = request.uri.queryParameters
            var filter = SessionFilter(namespace: query["namespace"].map(String.init))
            if let kind = query["kind"] {
                guard let kind = SessionView.Kind(rawValue: String(kind)) else {
                    throw RequestError.invalid("kind is '\(kind)'; allowed: backup, restore")
                }
                filter.kind = kind
            }
            if let limit = query["limit"] {
                guard let limit = Int(limit), (1...1000).contains(limit) else {
                    throw RequestError.invalid("limit is '\(limit)'; allowed: 1 to 1000")
                }
                filter.limit = limit
            }
            return try Answers.json(try await conductor.views(filter))
        }
        router.get("/api/v1/locks") { request, _ in
            try authorize(request)
            return try Answers.json(try await conductor.lockViews())
        }
        router.get("/api/v1/snapshots") { request, _ in
            try authorize(request)
            return try Answers.json(try await snapshots(request))
        }
        router.post("/api/v1/backups") { request, _ in
            try authorize(request, isWrite: true)
            let message = try await Answers.message(BackupRequest.self, request)
            return try Answers.json(try await conductor.requestBackup(message), status: 201)
        }
        router.post("/api/v1/backups/plan") { request, _ in
            // Asks by a message, changes nothing.
            try authorize(request)
            let message = try await Answers.message(BackupRequest.self, request)
            return try Answers.json(try await conductor.forecast(message))
        }
        router.post("/api/v1/restores") { request, _ in
            try authorize(request, isWrite: true)
            let message = try await Answers.message(RestoreRequest.self, request)
            return try Answers.json(try await conductor.requestRestore(message), status: 201)
        }
        let session = router.group("/api/v1/sessions/:namespace/:name")
        session.get { request, context in
            try authorize(request)
            return try Answers.json(try await conductor.view(of: try key(context)))
        }
        session.post("cancel") { request, context in
            try authorize(request, isWrite: true)
            let requester = request.uri.queryParameters["requestedBy"].map(String.init) ?? "somebody"
            let view = try await conductor.requestCancel(try key(context), by: String(requester.prefix(100)))
            return try Answers.json(view, status: 202)
        }
        session.get("logs") { request, context in
            try authorize(request)
            return try await streamLogs(request, try key(context))
        }
    }

    private func key(_ context: some RequestContext) throws -> ResourceKey {
        let key = ResourceKey(
            namespace: try context.parameters.require("namespace"),
            name: try context.parameters.require("name")
        )
        guard ResourceName.reasonAgainst(key.namespace) == nil, ResourceName.reasonAgainst(key.name) == nil else {
            throw RequestError.notFound("there is no such session")
        }
        return key
    }

    private func authorize(_ request: Request, isWrite: Bool = false) throws {
        if let token = Answers.bearer(request) {
            guard Digest.equal(Array(token.utf8), adminToken) else {
                throw RequestError(status: 401, code: "unauthorized", message: "the admin token is wrong")
            }
            return
        }
        // Proxies and web pages on this host are not the person who sits at it.
        let isProxied = request.headers.contains { field in
            ["x-forwarded-for", "forwarded", "origin"].contains(field.name.canonicalName)
        }
        if !isWrite, isReadableWithoutToken, !isProxied { return }
        throw RequestError(
            status: 401,
            code: "unauthorized",
            message: "this needs the admin token: Authorization: Bearer with the content of STATE/admin.token"
        )
    }

    // MARK: Snapshots

    /// The backups that exist, which is: those with a manifest.
    private func snapshots(_ request: Request) async throws -> [BackupView] {
        let query = request.uri.queryParameters
        let namespace = query["namespace"].map(String.init)
        let target = query["target"].map(String.init)
        let objects = await conductor.objects
        var views: [BackupView] = []
        var seen: Set<String> = []
        for (key, configuration) in objects.configurations.sorted(by: { $0.key < $1.key }) {
            let name = configuration.spec.target.ref.name
            if let namespace, namespace != key.namespace { continue }
            if let target, target != name { continue }
            let repository = configuration.spec.repository.key(in: key.namespace)
            guard seen.insert("\(repository) \(key.namespace)/\(name)").inserted else { continue }
            let plan = try PlanMaker.backup(
                key,
                objects: objects,
                consistency: nil,
                trigger: .manual,
                requestedBy: nil
            )
            do {
                let (manifests, problems) = try await keeper.manifests(
                    plan,
                    namespace: key.namespace,
                    target: name,
                    isHurried: true
                )
                for problem in problems { logger.warning("\(problem)") }
                views += manifests.map { BackupView($0) }
            } catch {
                throw RequestError(
                    status: 502,
                    code: "storageUnavailable",
                    message: "repository \(repository): \(error.description)",
                    isRetryable: error.isRetryable
                )
            }
        }
        return views.sorted { ($0.time, $0.session) > ($1.time, $1.session) }
    }
}
