public import Kubernetes

/// Decides what comes into a pod: a function of the pod, its namespace and the installation; no network, no clock.
///
/// Whatever is wrong, the pod starts: without an agent, with a warning, and with the reason in an annotation.
public struct AgentInjector: Sendable {
    /// What the installation says.
    public let settings: InjectorSettings

    /// Makes an injector.
    public init(_ settings: InjectorSettings) { self.settings = settings }

    /// Decides about one pod that is to be created.
    ///
    /// - Parameters:
    ///   - tree: the pod as the API server sent it.
    ///   - namespace: the namespace that it will be in, which the pod itself often doesn't name.
    /// - Returns: a patch, perhaps an empty one, that was applied and validated.
    public func decide(_ tree: JSONTree, in namespace: NamespaceFacts) -> InjectionDecision {
        guard isAsked(tree) else { return InjectionDecision(.notAsked, pod: tree) }
        if let reason = skipReason(tree, namespace) {
            return InjectionDecision(.skipped, pod: tree, warnings: ["remora: no agent was injected: \(reason)"])
        }
        do throws(InjectionError) {
            let pod = try Pod(tree)
            let asked = pod.annotations[Annotation.inject.name] ?? ""
            guard asked == "true" else {
                throw InjectionError(
                    .annotation,
                    "\(Annotation.inject.name) is '\(asked)'; allowed: true, false"
                )
            }
            return try inject(pod, namespace)
        } catch {
            return refuse(tree, error)
        }
    }

    /// Whether a pod asks for an agent, rightly or not.
    public func isAsked(_ tree: JSONTree) -> Bool {
        guard let asked = tree[path: "metadata", "annotations", Annotation.inject.name] else { return false }
        return asked != "false"
    }

    /// The answer to a pod about which something outside of it keeps us from deciding.
    public func refuse(_ tree: JSONTree, _ error: InjectionError) -> InjectionDecision {
        let text = String(error.message.prefix(1024))
        var decision = InjectionDecision(
            .refused,
            pod: tree,
            warnings: ["remora: no agent was injected: \(String(text.prefix(200)))"],
            error: error
        )
        // A tree that is no pod has no place to say anything.
        guard let pod = try? Pod(tree) else { return decision }
        var maker = PatchMaker(tree)
        if let earlier = EarlierInjection(in: pod), earlier.isNative == true, !earlier.isIntact,
            let index = earlier.index,
            settings.supportsNativeSidecars
        {
            // Whatever is wrong with a new agent: the one that is in the pod must not keep its containers from starting.
            maker.add("Always", at: "spec", "initContainers", "\(index)", "restartPolicy")
        }
        let bytes = pod.annotations.reduce(text.utf8.count + AgentMark.injectError.utf8.count) {
            $0 + $1.key.utf8.count + $1.value.utf8.count
        }
        if pod.annotations[AgentMark.injectError] != text, bytes <= PodValidation.annotationBytes {
            maker.set(AgentMark.injectError, text, in: "metadata", "annotations")
        }
        // The warning says it as well: what can't be written must not stop the pod.
        guard let patched = try? maker.patch.applied(to: tree) else { return decision }
        decision.patch = maker.patch
        decision.pod = patched
        return decision
    }

    private func skipReason(_ tree: JSONTree, _ namespace: NamespaceFacts) -> String? {
        if settings.excludedNamespaces.contains(namespace.name) { return "namespace '\(namespace.name)' is left alone" }
        if namespace.isOptedOut {
            return "namespace '\(namespace.name)' wants no agents (\(NamespaceFacts.optOutLabel))"
        }
        let phase = tree[path: "status", "phase"]?.string ?? ""
        if !phase.isEmpty, phase != "Pending" { return "the pod is \(phase) already" }
        if tree[path: "metadata", "annotations", "kubernetes.io/config.mirror"] != nil { return "the pod is static" }
        if tree[path: "metadata", "labels", "app.kubernetes.io/part-of"] == "remora.dev" {
            return "the pod is one of ours"
        }
        let system = tree[path: "spec", "os", "name"] ?? tree[path: "spec", "nodeSelector", "kubernetes.io/os"]
        if system == "windows" { return "agents don't run on Windows" }
        return nil
    }

    // MARK: Injection

    private func inject(_ pod: Pod, _ namespace: NamespaceFacts) throws(InjectionError) -> InjectionDecision {
        let earlier = EarlierInjection(in: pod)
        let bare = try earlier == nil ? pod : pod.withoutAgent()
        guard !bare.holdsOurNames else {
            throw InjectionError(
                .nameTaken,
                "the pod has a container '\(AgentMark.container)' or a volume '\(AgentMark.volumePrefix)…' that the "
                    + "injector didn't make; rename it, or take the annotation \(Annotation.inject.name) away"
            )
        }
        let plan = try AgentPlan(for: bare, namespace, settings, earlier: earlier)
        let (outcome, patch) = makePatch(pod, plan, earlier)
        guard !patch.isEmpty else {
            return InjectionDecision(outcome, pod: pod.tree, warnings: plan.warnings, hash: plan.hash)
        }
        let patched: JSONTree
        do {
            patched = try patch.applied(to: pod.tree)
        } catch {
            throw InjectionError(.invalidResult, "the patch doesn't fit the pod: \(error)")
        }
        if let reason = PodValidation.reasonAgainst(patched, in: namespace) {
            throw InjectionError(.invalidResult, "the pod with an agent would be refused: \(reason)")
        }
        return InjectionDecision(
            outcome,
            patch: patch,
            pod: patched,
            warnings: plan.warnings.map { "remora: \($0)" },
            hash: plan.hash
        )
    }

    private func makePatch(
        _ pod: Pod,
        _ plan: AgentPlan,
        _ earlier: EarlierInjection?
    ) -> (InjectionDecision.Outcome, JSONPatch) {
        let list = plan.isNative ? "initContainers" : "containers"
        var maker = PatchMaker(pod.tree)
        if let earlier, let index = earlier.index, earlier.status?.hash == plan.hash {
            if earlier.isIntact { return (.alreadyInjected, JSONPatch()) }
            // Somebody who doesn't know the field wrote the pod anew without it.
            maker.add("Always", at: "spec", list, "\(index)", "restartPolicy")
            return (.repaired, maker.patch)
        }
        if let index = earlier?.index {
            maker.replace(plan.container, at: "spec", list, "\(index)")
        } else {
            maker.append(plan.container, to: "spec", list)
        }
        for volume in plan.volumes {
            if let index = pod.volumes.firstIndex(where: { $0["name"] == volume["name"] }) {
                maker.replace(volume, at: "spec", "volumes", "\(index)")
            } else {
                maker.append(volume, to: "spec", "volumes")
            }
        }
        if !plan.isNative, pod.annotations[AgentMark.defaultContainer] == nil {
            maker.set(AgentMark.defaultContainer, plan.database, in: "metadata", "annotations")
        }
        maker.set(AgentMark.status, status(plan), in: "metadata", "annotations")
        maker.removeIfPresent(AgentMark.injectError, from: "metadata", "annotations")
        maker.set(AgentMark.injected, "true", in: "metadata", "labels")
        maker.set(AgentMark.cluster, plan.cluster, in: "metadata", "labels")
        return (earlier?.index == nil ? .injected : .replaced, maker.patch)
    }

    private func status(_ plan: AgentPlan) -> String {
        let status: JSONTree = [
            "v": 1, "by": .string(settings.version), "image": .string(settings.image),
            "mode": plan.isNative ? "native" : "container", "hash": .string(plan.hash),
            "container": .string(plan.database),
        ]
        return status.description
    }
}

/// What is to become of a pod.
public struct InjectionDecision: Sendable, Hashable {
    /// What was decided.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// The pod doesn't ask for an agent.
        case notAsked
        /// The pod asks, and is none that gets one.
        case skipped
        /// The agent is in it already, as it should be.
        case alreadyInjected
        /// The agent comes into it.
        case injected
        /// The agent was in it and had lost its restart policy.
        case repaired
        /// The agent was in it and is exchanged for another one.
        case replaced
        /// Something is wrong; the pod goes on without an agent.
        case refused
    }

    /// What was decided.
    public var outcome: Outcome
    /// What is to be changed; applied and validated.
    public var patch: JSONPatch
    /// The pod with the change.
    public var pod: JSONTree
    /// For the person who makes the pod.
    public var warnings: [String]
    /// Hash of what is injected.
    public var hash: String?
    /// Why nothing is injected.
    public var error: InjectionError?

    init(
        _ outcome: Outcome,
        patch: JSONPatch = JSONPatch(),
        pod: JSONTree,
        warnings: [String] = [],
        hash: String? = nil,
        error: InjectionError? = nil
    ) {
        self.outcome = outcome
        self.patch = patch
        self.pod = pod
        self.warnings = warnings
        self.hash = hash
        self.error = error
    }
}
