import BackupModel
import Injector
import Kubernetes

/// Asks API server and coordinator for what `remora doctor` judges; what can't be had is a fact too.
struct FactGatherer: Sendable {
    let cluster: Cluster
    /// How the coordinator is asked.
    let coordinator: CoordinatorClient
    let clock: Clock
    /// Only this namespace's pods and repositories.
    var namespace: String?

    private var client: KubernetesClient { cluster.client }
    private var systemNamespace: String { cluster.systemNamespace }

    /// Everything, as much at once as the client lets through.
    func gather() async -> ClusterFacts {
        var facts = ClusterFacts()
        facts.serverURL = client.configuration.server
        facts.systemNamespace = systemNamespace
        facts.now = clock.now()
        facts.server = await cluster.fetch { () async throws(KubernetesError) in try await client.version() }
        // Nothing else would answer.
        guard facts.server.value != nil else { return facts }

        async let definitions = definitions()
        async let coordinators = pods(in: systemNamespace, selector: Install.coordinatorSelector)
        async let lease = object(.leases, Install.leaderLease, systemNamespace)
        async let webhook = object(.mutatingWebhookConfigurations, Install.webhookConfiguration, nil)
        async let authority = object(.configMaps, Install.authorityConfigMap, systemNamespace)
        async let rights = rights()
        async let repositories = repositories()
        async let status = status()
        let pods = await databasePods()
        facts.pods = pods.map { $0.map { PodFacts($0) } }
        let found = facts.pods.value ?? []
        async let namespaces = namespaces(Set(found.map(\.namespace)))
        async let secrets = secrets(found)
        facts.trialNamespace = namespace ?? found.map(\.namespace).min() ?? cluster.namespace
        let trial = await trial(in: facts.trialNamespace)
        facts.now = clock.now()
        facts.serverTime = trial.value?[path: "metadata", "creationTimestamp"]?.string.flatMap { Moment($0) }
        facts.trial = trial.map { PodFacts($0) }
        facts.definitions = await definitions
        facts.coordinators = await coordinators.map { $0.map { PodFacts($0) } }
        facts.lease = await lease
        facts.webhook = await webhook
        facts.authority = await authority.map { $0[path: "data", Install.authorityKey]?.string ?? "" }
        facts.rights = await rights
        facts.repositories = await repositories
        facts.status = await status
        facts.namespaces = await namespaces
        facts.secrets = await secrets
        return facts
    }

    // MARK: The installation

    private func object(_ resource: APIResource, _ name: String, _ namespace: String?) async -> Fetched<JSONTree> {
        await cluster.fetch { () async throws(KubernetesError) in
            try await client.get(resource, name: name, namespace: namespace).tree
        }
    }

    private func definitions() async -> [String: Fetched<JSONTree>] {
        var result: [String: Fetched<JSONTree>] = [:]
        for name in Install.definitions {
            result[name] = await object(.customResourceDefinitions, "\(name).\(Install.group)", nil)
        }
        return result
    }

    private func rights() async -> [(right: ClusterFacts.Right, allowed: Fetched<Bool>)] {
        var result: [(right: ClusterFacts.Right, allowed: Fetched<Bool>)] = []
        for right in ClusterFacts.Right.needed(in: systemNamespace) {
            let answer = await isAllowed(right)
            result.append((right, answer))
            // Who may not ask for one may not ask for any.
            if case .denied = answer { break }
        }
        return result
    }

    /// Whether the coordinator may do something.
    private func isAllowed(_ right: ClusterFacts.Right) async -> Fetched<Bool> {
        let user = UserInfo(
            username: "system:serviceaccount:\(systemNamespace):\(Install.coordinatorAccount)",
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(systemNamespace)", "system:authenticated"]
        )
        return await cluster.fetch { () async throws(KubernetesError) in
            try await client.reviewAccess(of: user, to: right.question).isAllowed
        }
    }

    private func status() async -> Fetched<StatusView> {
        do {
            return .found(try await coordinator.status())
        } catch {
            let failure = CommandFailure(describing: error)
            return failure.status == .kubernetes || failure.status == .unauthorized
                ? .denied(failure.message) : .failed(failure.message)
        }
    }

    // MARK: Databases

    private func pods(in namespace: String, selector: String?) async -> Fetched<[JSONTree]> {
        await cluster.fetch { () async throws(KubernetesError) in
            let options = ListOptions(labelSelector: selector)
            return try await client.list(.pods, namespace: namespace, options: options).items.map(\.tree)
        }
    }

    /// Pods that ask for an agent or have one.
    ///
    /// The server can't select by annotation: first the metadata of all pods, then whole pods of the namespaces that
    /// have one.
    func databasePods() async -> Fetched<[JSONTree]> {
        if let namespace {
            return await pods(in: namespace, selector: nil).map { $0.filter(Self.isOfInterest) }
        }
        let all = await cluster.fetch { () async throws(KubernetesError) in
            try await client.list(.pods, options: ListOptions(isMetadataOnly: true)).items.map(\.tree)
        }
        guard let metadata = all.value else { return all }
        var result: [JSONTree] = []
        let places = Set(metadata.filter(Self.isOfInterest).compactMap { $0[path: "metadata", "namespace"]?.string })
        for place in places.sorted() {
            let fetched = await pods(in: place, selector: nil)
            guard let pods = fetched.value else { return fetched }
            result += pods.filter(Self.isOfInterest)
        }
        return .found(result)
    }

    private static func isOfInterest(_ pod: JSONTree) -> Bool {
        let facts = PodFacts(pod)
        return facts.asksForAgent || facts.agent != nil || facts.labels[Install.injectedLabel] == "true"
    }

    private func namespaces(_ names: Set<String>) async -> [String: Fetched<JSONTree>] {
        var result: [String: Fetched<JSONTree>] = [:]
        for name in names { result[name] = await object(.namespaces, name, nil) }
        return result
    }

    private func secrets(_ pods: [PodFacts]) async -> [String: Fetched<Set<String>>] {
        var result: [String: Fetched<Set<String>>] = [:]
        for needed in pods.flatMap(PodSecrets.needed(by:)) where result[needed.place] == nil {
            result[needed.place] = await cluster.secret(needed.name, in: needed.namespace).map { Set($0.keys) }
        }
        return result
    }

    private func repositories() async -> Fetched<[ClusterFacts.RepositoryFacts]> {
        let fetched = await cluster.fetch { () async throws(KubernetesError) in
            try await client.list(OurKinds.resource("repositories"), namespace: namespace).items.map(\.tree)
        }
        guard let objects = fetched.value else { return fetched.map { _ in [] } }
        var result: [ClusterFacts.RepositoryFacts] = []
        for object in objects {
            let place = object[path: "metadata", "namespace"]?.string ?? ""
            let name = object[path: "spec", "backend", "storageSecretName"]?.string ?? ""
            let keys = await cluster.secret(name, in: place).map { Set($0.keys) }
            let right = ClusterFacts.Right(
                verb: "get",
                group: "",
                resource: "secrets",
                name: name,
                namespace: place,
                purpose: "open the repository"
            )
            result.append(
                ClusterFacts.RepositoryFacts(object: object, keys: keys, isReadable: await isAllowed(right))
            )
        }
        return .found(result)
    }

    // MARK: The trial

    /// What a pod that asks for an agent would become (dry run).
    func trial(in namespace: String) async -> Fetched<JSONTree> {
        await cluster.fetch { () async throws(KubernetesError) in
            try await client.tryCreate(KubernetesObject(Self.trialPod(in: namespace)), as: .pods).tree
        }
    }

    /// A pod that every namespace takes, Pod Security `restricted` and quotas included, and that asks for an agent.
    static func trialPod(in namespace: String) -> JSONTree {
        [
            "metadata": [
                "generateName": "remora-doctor-", "namespace": .string(namespace),
                "annotations": [
                    Annotation.inject.name: "true", Annotation.engine.name: "mongodb",
                    Annotation.cluster.name: "remora-doctor",
                ],
            ],
            "spec": [
                "securityContext": [
                    "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": ["type": "RuntimeDefault"],
                ],
                "containers": [
                    [
                        "name": "mongodb", "image": "mongo",
                        "ports": [["containerPort": 27017]],
                        "resources": [
                            "requests": ["cpu": "10m", "memory": "32Mi"], "limits": ["cpu": "1", "memory": "128Mi"],
                        ],
                        "securityContext": [
                            "allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]],
                        ],
                    ]
                ],
            ],
        ]
    }
}
