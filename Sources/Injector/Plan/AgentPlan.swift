import CCrypto
import Kubernetes

/// What comes into a pod: the same pod, annotations and settings give the same plan.
struct AgentPlan: Sendable, Hashable {
    let container: JSONTree
    let volumes: [JSONTree]
    let isNative: Bool
    let cluster: String
    /// The container that runs the database.
    let database: String
    let warnings: [String]
    /// Changes when anything of container and volumes does.
    let hash: String

    /// Makes the plan.
    ///
    /// - Parameters:
    ///   - pod: without anything of ours.
    ///   - namespace: where it will be.
    ///   - settings: the installation's.
    ///   - earlier: what an earlier injection into this pod left.
    /// - Throws: `InjectionError`.
    init(
        for pod: Pod,
        _ namespace: NamespaceFacts,
        _ settings: InjectorSettings,
        earlier: EarlierInjection?
    ) throws(InjectionError) {
        let request = try InjectionRequest(pod.annotations, allowsRoot: settings.allowsRoot)
        let found = try DatabaseContainer(in: pod, request, earlier: earlier?.status?.database)
        isNative = try Self.isNative(pod, request, settings, earlier: earlier)
        cluster = try Self.cluster(of: pod, request)
        database = found.container.name
        let resources = try AgentResources(for: pod, request.resources, namespace)
        container = try AgentContainer.make(
            AgentContainer.Parts(
                request: request,
                cluster: cluster,
                database: found,
                data: try DataVolume(in: pod, found, request),
                resources: resources,
                security: try AgentSecurity(in: pod, found, request, namespace, settings),
                isNative: isNative
            ),
            settings
        )
        volumes = AgentVolumes.make(for: pod, request, settings)
        warnings = request.warnings + Self.warnings(request, found.preset.engine) + resources.warnings
        let whole: JSONTree = ["container": container, "volumes": .array(volumes)]
        hash = Self.digest(whole.bytes)
    }

    /// Annotations that do nothing for this kind of database.
    private static func warnings(_ request: InjectionRequest, _ engine: String) -> [String] {
        guard engine != EnginePreset.mongodb.engine, request.tlsSecret != nil || request.tlsMode != .disable else {
            return []
        }
        return [
            "\(Annotation.tlsMode.name) has no effect for \(engine): its Function's options decide, and may name "
                + AgentPlaces.tls
        ]
    }

    /// The first 12 hexadecimal digits of SHA-256.
    private static func digest(_ bytes: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &digest)
        let digits = Array("0123456789abcdef".utf8)
        let text = digest.prefix(6).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    private static func isNative(
        _ pod: Pod,
        _ request: InjectionRequest,
        _ settings: InjectorSettings,
        earlier: EarlierInjection?
    ) throws(InjectionError) -> Bool {
        let isAskedFor = request.sidecar != .container
        let isNative =
            earlier?.isNative ?? (isAskedFor && (settings.supportsNativeSidecars || request.sidecar == .native))
        if isNative, !settings.supportsNativeSidecars {
            throw InjectionError(
                .sidecar,
                "\(Annotation.sidecar.name) is 'native', which needs Kubernetes 1.29 or newer; leave it out or set it to "
                    + "container"
            )
        }
        let policy = pod.tree[path: "spec", "restartPolicy"]?.string ?? "Always"
        if !isNative, policy != "Always" {
            throw InjectionError(
                .sidecar,
                "the pod's restartPolicy is '\(policy)', and beside an agent as plain container it would never end; "
                    + "that needs a native sidecar"
            )
        }
        return isNative
    }

    /// The target's name: as annotated, of the workload, or of the pod.
    private static func cluster(of pod: Pod, _ request: InjectionRequest) throws(InjectionError) -> String {
        if let cluster = request.cluster { return cluster }
        let name = workload(of: pod)
        if let reason = InjectionRequest.reasonAgainstCluster(name) {
            throw InjectionError(
                .annotation,
                name.isEmpty
                    ? "the pod's name isn't known yet; set \(Annotation.cluster.name)"
                    : "the workload's name can't be the target's, because it \(reason); set \(Annotation.cluster.name)"
            )
        }
        return name
    }

    private static func workload(of pod: Pod) -> String {
        let metadata = pod.tree["metadata"]
        let owners = metadata?["ownerReferences"]?.array ?? []
        let owner = owners.first { $0["controller"]?.bool == true } ?? owners.first
        if let owner, let name = owner["name"]?.string {
            let suffix = pod.labels["pod-template-hash"].map { "-\($0)" } ?? "-"
            // The ReplicaSet of a Deployment is called DEPLOYMENT-HASH.
            return owner["kind"]?.string == "ReplicaSet" && name.hasSuffix(suffix)
                ? String(name.dropLast(suffix.utf8.count)) : name
        }
        if let name = metadata?["name"]?.string, !name.isEmpty {
            let stem = name.prefix { $0 != "." }
            guard let dash = stem.lastIndex(of: "-") else { return String(stem) }
            let number = stem[stem.index(after: dash)...]
            let isNumber = !number.isEmpty && number.utf8.allSatisfy { (0x30...0x39).contains($0) }
            return String(isNumber ? stem[..<dash] : stem)
        }
        var prefix = (metadata?["generateName"]?.string ?? "")[...]
        while prefix.hasSuffix("-") { prefix.removeLast() }
        return String(prefix)
    }
}

/// What an earlier injection left in a pod.
struct EarlierInjection: Sendable {
    /// The annotation that it wrote.
    struct Status: Sendable, Hashable {
        var hash: String
        var database: String?

        init?(_ text: String?) {
            guard let text, let tree = try? JSONTree(parsing: text), let hash = tree["hash"]?.string else {
                // Not written by us: as if there were none.
                return nil
            }
            self.hash = hash
            database = tree["container"]?.string
        }
    }

    let status: Status?
    /// Whether our container is among the init containers; nil: it is nowhere.
    let isNative: Bool?
    /// Where it is in its list.
    let index: Int?
    /// Whether it is whole: an init container that goes on running.
    let isIntact: Bool

    init?(in pod: Pod) {
        guard let status = Status(pod.annotations[AgentMark.status]) else { return nil }
        self.status = status
        if let index = pod.initContainers.firstIndex(where: { $0.name == AgentMark.container }) {
            (isNative, self.index) = (true, index)
            isIntact = pod.initContainers[index].tree["restartPolicy"]?.string == "Always"
        } else if let index = pod.containers.firstIndex(where: { $0.name == AgentMark.container }) {
            (isNative, self.index) = (false, index)
            isIntact = true
        } else {
            (isNative, index, isIntact) = (nil, nil, false)
        }
    }
}
