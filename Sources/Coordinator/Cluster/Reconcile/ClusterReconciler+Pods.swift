import BackupModel
import Kubernetes
import Logging
import Synchronization

// Pods: what the webhook did and missed, and the trust in their namespaces.
extension ClusterReconciler {
    func reconcilePod(_ key: ResourceKey) async throws {
        guard let pod = caches.pod(key) else {
            // It may have been the last one that asked for a blueprint.
            queue.add(.blueprints, after: .seconds(1))
            for target in await conductor.objects.configurations.keys where target.namespace == key.namespace {
                queue.add(.object(BackupConfigurationSpec.kind, target), after: .seconds(1))
            }
            return
        }
        if let target = pod.target {
            for configuration in await configurations(of: target) {
                queue.add(.object(BackupConfigurationSpec.kind, configuration), after: .seconds(1))
            }
        }
        queue.add(.trust(key.namespace))
        queue.add(.blueprints, after: .seconds(1))
        tellAboutInjection(pod)
    }

    /// Tells people once of each pod that was given an agent, or wasn't.
    private func tellAboutInjection(_ pod: PodFact) {
        guard !pod.isBeingDeleted else { return }
        let owner = pod.owner
        let isNews = state.withLock { state in
            if state.told.count > 50_000 { state.told = [] }
            // Of pods that were there before this leader, an earlier one has told; what was missed is told again.
            if pod.isInjected, state.oldPods.contains(pod.uid) { return false }
            return state.told.insert(pod.uid).inserted
        }
        guard isNews else { return }
        if pod.isInjected {
            let note = "pod \(pod.key.name) was given an agent"
            events.tell(note, about: owner, kind: .normal, reason: "Injected", action: "Inject")
        } else {
            let why = pod.injectError ?? "it was made while the webhook did not answer; delete it to have it made anew"
            let note = "pod \(pod.key.name) asks for an agent and has none: \(why)"
            logger.warning("\(pod.key): \(note)")
            events.tell(note, about: owner, kind: .warning, reason: "InjectionMissed", action: "Inject")
        }
    }
}
