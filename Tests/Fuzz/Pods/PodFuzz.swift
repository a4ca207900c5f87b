import Injector
import Kubernetes

/// One random pod, looked at as an API server with other webhooks would have it looked at.
public struct PodFuzz: Sendable {
    /// Which rule was broken, and by what.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// The sentence for people.
        public var description: String

        /// Makes a failure.
        public init(description: String) { self.description = description }
    }

    private let injector: AgentInjector
    private let namespace: NamespaceFacts
    private let asksInBytes: Bool

    /// Makes the pod of a seed and checks everything about it.
    ///
    /// - Returns: what was decided about it at first, and why.
    /// - Throws: ``Failure``.
    public static func check(seed: UInt64) throws(Failure) -> String {
        var maker = PodMaker(random: SeededGenerator(seed: seed))
        var pod = maker.pod()
        let fuzz = PodFuzz(
            injector: AgentInjector(maker.settings()),
            namespace: maker.namespace(),
            // Bytes are the same for all pods, and reading them takes longest.
            asksInBytes: seed % 4 == 0
        )
        for mutator in Mutator.allCases where mutator != .dropsAnnotations && maker.random.chance(8) {
            pod = mutator.apply(pod)
        }
        let (outcome, first) = try fuzz.look(pod, "first")
        var later = first
        for mutator in Mutator.allCases where maker.random.chance(mutator == .dropsAnnotations ? 5 : 30) {
            later = mutator.apply(later)
        }
        let (second, repaired) = try fuzz.look(later, "second")
        // Nobody may wait for ever for an init container of ours.
        if fuzz.isStuck(repaired), second != .skipped, second != .notAsked,
            repaired[path: "metadata", "annotations", AgentMark.status] != nil,
            fuzz.injector.settings.supportsNativeSidecars, outcome == .injected
        {
            throw Failure(description: "the agent's container would have to end for the pod to start")
        }
        let reason = fuzz.injector.decide(pod, in: fuzz.namespace).error.map { ": \($0.code)" } ?? ""
        return outcome.rawValue + reason
    }

    /// One call of the webhook, from bytes to bytes, and everything that must hold of its answer.
    private func look(_ pod: JSONTree, _ time: String) throws(Failure) -> (InjectionDecision.Outcome, JSONTree) {
        let (outcome, patch) = try ask(pod)
        func fail(_ text: String) -> Failure {
            Failure(description: "\(time) look (\(outcome.rawValue)): \(text)\npod: \(pod)\npatch: \(patch)")
        }
        guard let patched = Reference.apply(patch, to: pod) else { throw fail("the patch doesn't apply") }
        let added = Reference.problems(of: patched).subtracting(Reference.problems(of: pod))
        guard added.isEmpty else { throw fail("the patched pod is invalid: \(added.sorted())") }
        guard Self.others(in: pod, before: pod) == Self.others(in: patched, before: pod) else {
            throw fail("it touches what isn't ours: \(patched)")
        }
        if [.injected, .replaced, .repaired].contains(outcome) {
            if Reference.isGuaranteed(pod), !Reference.isGuaranteed(patched), pod[path: "spec", "resources"] == nil {
                throw fail("the pod loses its class of service")
            }
            if let reason = safetyReason(patched) { throw fail(reason) }
            // One that is only repaired was fitted when it came.
            if let reason = Reference.limitProblem(of: patched, namespace), outcome != .repaired { throw fail(reason) }
        }
        let (again, second) = try ask(patched)
        guard second == [], again == outcome || again == .alreadyInjected else {
            throw fail("asked again it says \(again.rawValue): \(second)")
        }
        return (outcome, patched)
    }

    private func ask(_ pod: JSONTree) throws(Failure) -> (InjectionDecision.Outcome, JSONTree) {
        guard asksInBytes else {
            let decision = injector.decide(pod, in: namespace)
            return (decision.outcome, decision.patch.tree)
        }
        let question: JSONTree = [
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": [
                "uid": "u1", "kind": ["group": "", "version": "v1", "kind": "Pod"], "operation": "CREATE",
                "namespace": .string(namespace.name), "object": pod, "dryRun": false,
            ],
        ]
        do {
            let review = try AdmissionReview(parsing: question.bytes)
            let (answer, decision) = injector.answer(review, namespace)
            let response = try JSONTree(parsing: answer.bytes)["response"]
            guard response?["uid"] == "u1", response?["allowed"] == true else {
                throw Failure(description: "not allowed: \(pod)")
            }
            guard let text = response?["patch"] else {
                guard response?["patchType"] == nil else { throw Failure(description: "a patch type without a patch") }
                return (decision?.outcome ?? .notAsked, [])
            }
            guard response?["patchType"] == "JSONPatch", let text = text.string else {
                throw Failure(description: "a patch without its type")
            }
            return (decision?.outcome ?? .notAsked, try JSONTree(parsing: Reference.decode(base64: text)))
        } catch let error as Failure {
            throw error
        } catch {
            throw Failure(description: "\(error): \(pod)")
        }
    }

    /// Everything of a pod that isn't ours; what is empty counts as absent.
    private static func others(in pod: JSONTree, before: JSONTree) -> JSONTree {
        var result = pod
        for list in ["containers", "initContainers", "volumes"] {
            let others = pod[path: "spec", list]?.array?.filter { element in
                let name = element["name"]?.string ?? ""
                return list == "volumes" ? !name.hasPrefix("remora-agent-") : name != "remora-agent"
            }
            if let others { result["spec"]?[list] = others.isEmpty ? nil : .array(others) }
            if result[path: "spec", list]?.isNull == true { result["spec"]?[list] = nil }
        }
        var ours = ["remora.dev/status", "remora.dev/inject-error", "remora.dev/injected", "remora.dev/cluster"]
        let chosen = "kubectl.kubernetes.io/default-container"
        if before[path: "metadata", "annotations", chosen] == nil { ours.append(chosen) }
        for map in ["annotations", "labels"] {
            let others = pod[path: "metadata", map]?.object?.filter { !ours.contains($0.key) }
            if let others { result["metadata"]?[map] = others.isEmpty ? nil : .object(others) }
            if result[path: "metadata", map]?.isNull == true { result["metadata"]?[map] = nil }
        }
        return result
    }

    private func agent(in pod: JSONTree) -> (JSONTree, isNative: Bool)? {
        for list in ["initContainers", "containers"] {
            if let found = pod[path: "spec", list]?.array?.first(where: { $0["name"] == "remora-agent" }) {
                return (found, list == "initContainers")
            }
        }
        return nil
    }

    private func isStuck(_ pod: JSONTree) -> Bool {
        guard let (container, isNative) = agent(in: pod) else { return false }
        return isNative && container["restartPolicy"] != "Always"
    }

    /// What an agent's container must be, wherever it is.
    private func safetyReason(_ pod: JSONTree) -> String? {
        guard let (container, _) = agent(in: pod) else { return "there is no agent" }
        if isStuck(pod) { return "the agent's container would have to end for the pod to start" }
        let context = container["securityContext"]
        guard context?["allowPrivilegeEscalation"] == false, context?["readOnlyRootFilesystem"] == true,
            context?["capabilities"] == ["drop": ["ALL"]], context?["privileged"] == false
        else { return "the agent may more than it needs" }
        let user = context?["runAsUser"] ?? pod[path: "spec", "securityContext", "runAsUser"]
        if user == 0, namespace.podSecurity == .restricted { return "root in a restricted namespace" }
        if namespace.podSecurity == .restricted, context?["runAsNonRoot"] != true {
            return "perhaps root in a restricted namespace"
        }
        let places = container["volumeMounts"]?.array?.compactMap { $0["mountPath"]?.string } ?? []
        guard places.contains("/var/run/secrets/kubernetes.io/serviceaccount") else {
            return "the database's token would be mounted"
        }
        for field in ["ports", "readinessProbe", "startupProbe", "lifecycle"] where container[field] != nil {
            return "the agent has \(field)"
        }
        return nil
    }
}
