import BackupModel
import Kubernetes

/// Collects what explains a failure to somebody who can't see the cluster.
struct ReportGatherer: Sendable {
    let facts: FactGatherer
    /// The last lines of each log.
    let logLines: Int

    private var cluster: Cluster { facts.cluster }
    private var client: KubernetesClient { facts.cluster.client }

    /// The bundle, and the values of all secrets that were read: they may stand nowhere in it.
    func gather() async -> (bundle: ReportBundle, secrets: Set<String>) {
        var bundle = ReportBundle()
        let now = facts.clock.now()
        bundle.add(
            "versions.json",
            [
                "remora": .string(RemoraVersion.current), "collected": .string(now.description),
                "server": await version(),
            ]
        )
        let known = await facts.gather()
        let findings = DoctorCheck.run(known)
        bundle.add("doctor.txt", text: DoctorPage.make(findings).rendered(colours: false))
        bundle.add("status.json", known.status) { bundle, status in
            // What the coordinator encodes it decodes: only a defect of ours could fail here.
            if let bytes = try? WireJSON.encode(status), let tree = try? JSONTree(parsing: bytes) {
                bundle.add("status.json", tree)
            }
        }
        await addObjects(to: &bundle)
        await addInstallation(to: &bundle)
        let pods = await facts.databasePods()
        bundle.add("pods.json", pods) { bundle, pods in bundle.add("pods.json", pods.map(PodExcerpt.make)) }
        let coordinators = await list(.pods, in: cluster.systemNamespace, selector: Install.coordinatorSelector)
        bundle.add("coordinators.json", coordinators) { bundle, pods in
            bundle.add("coordinators.json", pods.map(PodExcerpt.make))
        }
        await addEvents(of: Set((pods.value ?? []).map { PodFacts($0).namespace }), to: &bundle)
        await addLogs(coordinators.value ?? [], pods.value ?? [], to: &bundle)
        let secrets = await secrets(known, &bundle)
        return (bundle, secrets)
    }

    private func version() async -> JSONTree {
        await cluster.fetch { () async throws(KubernetesError) in try await client.version() }.value ?? .null
    }

    private func list(_ resource: APIResource, in namespace: String?, selector: String? = nil) async -> Fetched<
        [JSONTree]
    > {
        await cluster.fetch { () async throws(KubernetesError) in
            let options = ListOptions(labelSelector: selector)
            return try await client.list(resource, namespace: namespace, options: options).items.map(\.tree)
        }
    }

    private func addObjects(to bundle: inout ReportBundle) async {
        for plural in Install.definitions {
            let name = "objects/\(plural).json"
            bundle.add(name, await list(OurKinds.resource(plural), in: facts.namespace)) { $0.add(name, $1) }
        }
    }

    private func addInstallation(to bundle: inout ReportBundle) async {
        let namespace = cluster.systemNamespace
        let parts: [(String, APIResource, String, String?)] = [
            ("lease.json", .leases, Install.leaderLease, namespace),
            ("webhook.json", .mutatingWebhookConfigurations, Install.webhookConfiguration, nil),
            ("authority.json", .configMaps, Install.authorityConfigMap, namespace),
            ("service.json", .services, Install.leaderService, namespace),
        ]
        for (file, resource, name, place) in parts {
            let fetched = await cluster.fetch { () async throws(KubernetesError) in
                try await client.get(resource, name: name, namespace: place).tree
            }
            bundle.add(file, fetched) { $0.add("installation/\(file)", $1) }
        }
    }

    private func addEvents(of namespaces: Set<String>, to bundle: inout ReportBundle) async {
        for namespace in namespaces.union([cluster.systemNamespace]).sorted() {
            bundle.add("events of \(namespace)", await list(.events, in: namespace)) {
                $0.add("events/\(namespace).json", $1)
            }
        }
    }

    private func addLogs(_ coordinators: [JSONTree], _ pods: [JSONTree], to bundle: inout ReportBundle) async {
        let all =
            coordinators.map { (PodFacts($0), $0[path: "spec", "containers"]?[0]?["name"]?.string ?? "") }
            + pods.map(PodFacts.init).filter { $0.agent != nil }.map { ($0, Install.agentContainer) }
        for (pod, container) in all {
            let log = await log(of: pod, container, isPrevious: false)
            bundle.add("log of \(pod.place)", log) { $0.add("logs/\(pod.namespace)/\(pod.name).log", text: $1) }
            guard let agent = pod.agent, agent.restarts > 0 else { continue }
            let previous = await self.log(of: pod, container, isPrevious: true)
            bundle.add("previous log of \(pod.place)", previous) {
                $0.add("logs/\(pod.namespace)/\(pod.name).previous.log", text: $1)
            }
        }
    }

    private func log(of pod: PodFacts, _ container: String, isPrevious: Bool) async -> Fetched<String> {
        await cluster.fetch { () async throws(KubernetesError) in
            try await client.log(
                ofPod: pod.name,
                in: pod.namespace,
                container: container,
                lines: logLines,
                isPrevious: isPrevious
            )
        }
    }

    /// Lists the secrets that pods and repositories name, by their entries' names; gives their values.
    private func secrets(_ facts: ClusterFacts, _ bundle: inout ReportBundle) async -> Set<String> {
        var places: Set<ResourceKey> = []
        for needed in (facts.pods.value ?? []).flatMap(PodSecrets.needed(by:)) {
            places.insert(ResourceKey(namespace: needed.namespace, name: needed.name))
        }
        for repository in facts.repositories.value ?? [] {
            let name = repository.object[path: "spec", "backend", "storageSecretName"]?.string ?? ""
            places.insert(
                ResourceKey(namespace: repository.object[path: "metadata", "namespace"]?.string ?? "", name: name)
            )
        }
        var values: Set<String> = []
        var list: [JSONTree] = []
        for place in places.sorted(by: { $0.description < $1.description }) {
            bundle.add("secret \(place)", await cluster.secret(place.name, in: place.namespace)) { _, entries in
                values.formUnion(entries.values)
                list.append([
                    "namespace": .string(place.namespace), "name": .string(place.name),
                    "entries": .array(entries.keys.sorted().map { .string($0) }),
                ])
            }
        }
        bundle.add("secrets.json", list)
        return values
    }
}
