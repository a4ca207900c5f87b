import BackupModel
import Hummingbird
import Logging

/// The people's side of the server: `/api/v1/…` (``UserAPI``).
struct PeopleAPI: Sendable {
    let conductor: Conductor
    let keeper: RepositoryKeeper
    let logs: LogShelf
    let authorizer: any PeopleAuthorizer
    let logger: Logger

    func add<Context: RequestContext>(to router: Router<Context>) {
        router.get("/api/v1/status") { request, _ in
            let namespace = try await authorizeReading("backupconfigurations", request)
            return try Answers.json(try await conductor.status(namespace: namespace))
        }
        router.get("/api/v1/sessions") { request, _ in
            var filter = SessionFilter(namespace: try await authorizeReading("backupsessions", request))
            let query = request.uri.queryParameters
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
            let namespace = try await authorizeReading("backupsessions", request)
            return try Answers.json(try await conductor.lockViews(namespace: namespace))
        }
        router.get("/api/v1/snapshots") { request, _ in
            _ = try await authorizeReading("backupconfigurations", request)
            return try Answers.json(try await snapshots(request))
        }
        router.post("/api/v1/backups") { request, _ in
            let person = try await authenticate(request, isWrite: true)
            var message = try await Answers.message(BackupRequest.self, request)
            try await authorize(person, .create, "backupsessions", in: message.namespace)
            message.requestedBy = person.name ?? message.requestedBy
            return try Answers.json(try await conductor.requestBackup(message), status: 201)
        }
        router.post("/api/v1/backups/plan") { request, _ in
            // Asks by a message, changes nothing.
            let person = try await authenticate(request)
            let message = try await Answers.message(BackupRequest.self, request)
            try await authorize(person, .get, "backupconfigurations", in: message.namespace, message.configuration)
            return try Answers.json(try await conductor.forecast(message))
        }
        router.post("/api/v1/restores") { request, _ in
            let person = try await authenticate(request, isWrite: true)
            var message = try await Answers.message(RestoreRequest.self, request)
            try await authorize(person, .create, "restoresessions", in: message.namespace)
            // What the cluster's policy demands of those who make the object themselves.
            for target in Set([message.target, message.source ?? message.target]) {
                try await authorize(person, .restore, "appbindings", in: message.namespace, target)
            }
            if let repository = message.repository, let namespace = repository.namespace, namespace != message.namespace
            {
                try await authorize(person, .use, "repositories", in: namespace, repository.name)
            }
            message.requestedBy = person.name ?? message.requestedBy
            return try Answers.json(try await conductor.requestRestore(message), status: 201)
        }
        let session = router.group("/api/v1/sessions/:namespace/:name")
        session.get { request, context in
            let key = try key(context)
            let person = try await authenticate(request)
            try await authorize(person, .get, try await resource(of: key), in: key.namespace, key.name)
            return try Answers.json(try await conductor.view(of: key))
        }
        session.post("cancel") { request, context in
            let key = try key(context)
            let person = try await authenticate(request, isWrite: true)
            try await authorize(person, .update, try await resource(of: key), in: key.namespace, key.name)
            let requester = person.name ?? request.uri.queryParameters["requestedBy"].map(String.init) ?? "somebody"
            let view = try await conductor.requestCancel(key, by: String(requester.prefix(100)))
            return try Answers.json(view, status: 202)
        }
        session.get("logs") { request, context in
            let key = try key(context)
            let person = try await authenticate(request)
            let resource = try await resource(of: key)
            let access = PeopleAccess(
                verb: .get,
                resource: resource,
                subresource: "log",
                namespace: key.namespace,
                name: key.name
            )
            try await authorizer.authorize(person, access)
            return try await streamLogs(request, key)
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

    // MARK: Who may

    private func authenticate(_ request: Request, isWrite: Bool = false) async throws(RequestError) -> Person {
        let isProxied = request.headers.contains { field in
            ["x-forwarded-for", "forwarded", "origin"].contains(field.name.canonicalName)
        }
        let credentials = PeopleCredentials(token: Answers.bearer(request), isProxied: isProxied)
        return try await authorizer.authenticate(credentials, isWrite: isWrite)
    }

    private func authorize(
        _ person: Person,
        _ verb: PeopleAccess.Verb,
        _ resource: String,
        in namespace: String?,
        _ name: String? = nil
    ) async throws(RequestError) {
        let access = PeopleAccess(verb: verb, resource: resource, namespace: namespace, name: name)
        try await authorizer.authorize(person, access)
    }

    /// Lets the caller read what the query's namespace holds, or all namespaces when it names none.
    private func authorizeReading(_ resource: String, _ request: Request) async throws(RequestError) -> String? {
        let namespace = request.uri.queryParameters["namespace"].map(String.init)
        let person = try await authenticate(request)
        try await authorize(person, .list, resource, in: namespace)
        return namespace
    }

    /// The kind of a session; of one that nobody knows it is told that only to those who may read backups there.
    private func resource(of key: ResourceKey) async throws -> String {
        do {
            return try await conductor.state(of: key).kind == .restore ? "restoresessions" : "backupsessions"
        } catch is RequestError {
            return "backupsessions"
        }
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
