import BackupModel
import Injector
import Kubernetes

/// What the webhook would say of a workload's pods: its own code, run here.
enum TemplateTrial {
    /// What it would say.
    struct Verdict: Sendable, Hashable {
        /// Why there would be no agent; nil: there would be one.
        var refusal: String?
        var warnings: [String] = []
        /// The target that the pods would belong to.
        var cluster: String?
    }

    /// Judges the pods that `workload` would make with these annotations.
    static func judge(
        _ workload: WorkloadFacts,
        annotations: [String: String],
        namespace: NamespaceFacts
    ) -> Verdict {
        var settings = InjectorSettings(
            image: "remora-agent",
            coordinatorURL: "https://\(Install.leaderService)",
            version: RemoraVersion.current
        )
        // What the installation allows is known there only.
        settings.allowsRoot = true
        let decision = AgentInjector(settings).decide(pod(of: workload, annotations), in: namespace)
        var verdict = Verdict()
        switch decision.outcome {
        case .refused: verdict.refusal = decision.error?.message ?? decision.warnings.joined(separator: "; ")
        case .skipped: verdict.refusal = decision.warnings.joined(separator: "; ")
        case .notAsked: verdict.refusal = "\(Annotation.inject.name) does not ask for an agent"
        case .injected, .alreadyInjected, .repaired, .replaced:
            verdict.warnings = decision.warnings
            verdict.cluster = decision.pod[path: "metadata", "labels", AgentMark.cluster]?.string
        }
        return verdict
    }

    /// The first pod of a workload, as its controller would make it.
    static func pod(of workload: WorkloadFacts, _ annotations: [String: String]) -> JSONTree {
        let template = workload.object[path: "spec", "template"]
        var metadata = template?["metadata"] ?? [:]
        metadata["name"] = .string("\(workload.reference.name)-0")
        metadata["namespace"] = .string(workload.namespace)
        metadata["annotations"] = .object(annotations.mapValues { .string($0) })
        metadata["ownerReferences"] = [
            [
                "apiVersion": "apps/v1", "kind": .string(workload.reference.kind.rawValue),
                "name": .string(workload.reference.name), "uid": "0", "controller": true,
            ]
        ]
        var spec = template?["spec"] ?? [:]
        // A StatefulSet's controller adds a volume for each of its claims.
        let claims = (workload.object[path: "spec", "volumeClaimTemplates"]?.array ?? [])
            .compactMap { $0[path: "metadata", "name"]?.string }
        if !claims.isEmpty {
            let volumes = claims.map { name -> JSONTree in
                ["name": .string(name), "persistentVolumeClaim": ["claimName": .string("\(name)-0")]]
            }
            spec["volumes"] = .array((spec["volumes"]?.array ?? []) + volumes)
        }
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec]
    }
}
