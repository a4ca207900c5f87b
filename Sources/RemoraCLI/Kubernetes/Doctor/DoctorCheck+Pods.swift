import BackupModel
import Injector
import Kubernetes

/// Pods with agents, and what belongs to them.
extension DoctorCheck {
    @Sendable static func namespaces(_ facts: ClusterFacts, _ findings: inout Findings) {
        for (name, fetched) in facts.namespaces.sorted(by: { $0.key < $1.key }) {
            let missing = (message: "there is no such namespace", fix: "kubectl get namespaces")
            guard let namespace = findings.look(fetched, "the namespace", name, missing: missing) else { continue }
            let labels = namespace[path: "metadata", "labels"]
            let pods = (facts.pods.value ?? []).filter { $0.namespace == name && $0.asksForAgent }
            if labels?[Install.namespaceLabel]?.string == "disabled" {
                findings.fail(
                    "its label \(Install.namespaceLabel)=disabled keeps agents out, and \(Format.count(Int64(pods.count), "pod")) ask for one",
                    name,
                    fix: "kubectl label namespace \(name) \(Install.namespaceLabel)-"
                )
            } else if name.hasPrefix("kube-") || name == facts.systemNamespace {
                findings.fail(
                    "the webhook is not asked for pods of this namespace",
                    name,
                    fix: "run the database in another one"
                )
            } else if namespace[path: "status", "phase"]?.string == "Terminating" {
                findings.warn("it is being deleted", name)
            } else if labels?[NamespaceFacts.enforceLabel]?.string == "restricted",
                let rooted = pods.first(where: { $0.annotation(.runAs)?.split(separator: ":").first == "0" })
            {
                findings.fail(
                    "it enforces Pod Security 'restricted', and \(rooted.name) asks for an agent that runs as root",
                    name,
                    fix: "take \(Annotation.runAs.name) out of the pod template"
                )
            } else {
                findings.ok("it lets agents in", name)
            }
        }
    }

    /// More restarts than an upgrade or a node's trouble explains.
    private static let manyRestarts: Int64 = 5

    @Sendable static func pods(_ facts: ClusterFacts, _ findings: inout Findings) {
        let missing = (message: "there are no pods", fix: "kubectl get pods -A")
        guard let pods = findings.look(facts.pods, "the databases' pods", missing: missing) else { return }
        guard !pods.isEmpty else {
            let whose = facts.target.map { " of target \($0)" } ?? ""
            return findings.warn("no pod\(whose) asks for an agent", fix: "remora enroll statefulset/NAME -n NAMESPACE")
        }
        var good = 0
        for pod in pods.sorted(by: { $0.place < $1.place }) where !pod.isEnding {
            let before = findings.all.count
            judge(pod, facts, &findings)
            if findings.all.count == before { good += 1 }
        }
        if good > 0 { findings.ok("\(good) of \(Format.count(Int64(pods.count), "pod")) have an agent that runs") }
    }

    private static func judge(_ pod: PodFacts, _ facts: ClusterFacts, _ findings: inout Findings) {
        let describe = "kubectl describe pod \(pod.name) -n \(pod.namespace)"
        if let error = pod.injectError {
            return findings.fail(
                "it got no agent: \(error)",
                pod.place,
                fix: pod.owner.map { "remora enroll \($0) -n \(pod.namespace) with annotations that make sense" }
                    ?? describe
            )
        }
        guard let agent = pod.agent else {
            return findings.fail(
                "it asks for an agent and has none: it was made while the webhook did not answer",
                pod.place,
                fix: pod.restartCommand
            )
        }
        if agent.lacksRestartPolicy {
            findings.fail(
                "something took restartPolicy from its agent's container: the pod waits for it for ever",
                pod.place,
                fix: "annotate the pod template with \(Annotation.sidecar.name)=container"
            )
        } else if let waiting = agent.waiting, !agent.isRunning {
            findings.fail("its agent does not run: \(waiting)", pod.place, fix: describe)
        } else if !agent.isRunning {
            findings.warn("its agent does not run yet", pod.place, fix: describe)
        } else if agent.restarts >= manyRestarts {
            let logs = "kubectl logs \(pod.name) -n \(pod.namespace) -c \(Install.agentContainer) --previous"
            findings.warn("its agent was started \(agent.restarts) times again", pod.place, fix: logs)
        }
        if let wanted = facts.trial.value?.agent?.image, wanted != agent.image {
            findings.warn(
                "its agent is \(agent.image), and new pods get \(wanted)",
                pod.place,
                fix: "remora agents upgrade (restarts only the agents, not the databases)"
            )
        }
    }

    @Sendable static func credentials(_ facts: ClusterFacts, _ findings: inout Findings) {
        var seen: Set<String> = []
        for pod in facts.pods.value ?? [] {
            for needed in PodSecrets.needed(by: pod) where seen.insert("\(needed.place) \(needed.keys)").inserted {
                guard let fetched = facts.secrets[needed.place] else { continue }
                let user = "it is \(pod.name)'s \(needed.purpose)"
                let missing = (message: "there is no such secret; \(user)", fix: needed.makeCommand)
                guard let keys = findings.look(fetched, "the secret", needed.place, missing: missing) else { continue }
                let lacking = needed.keys.filter { !keys.contains($0) }
                if lacking.isEmpty {
                    findings.ok("it has \(needed.keys.joined(separator: ", "))", needed.place)
                } else {
                    let has = keys.isEmpty ? "nothing" : keys.sorted().joined(separator: ", ")
                    findings.fail(
                        "it lacks \(lacking.joined(separator: ", ")) and has \(has); \(user)",
                        needed.place,
                        fix: needed.makeCommand
                    )
                }
            }
        }
    }

    /// Keys of a Repository's secret (`StorageBackend.storageSecretName`).
    static func repositoryKeys(_ object: JSONTree) -> [String] {
        ["RESTIC_PASSWORD"]
            + (object[path: "spec", "backend", "s3"] == nil ? [] : ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    }

    @Sendable static func repositories(_ facts: ClusterFacts, _ findings: inout Findings) {
        let missing = (message: "the kind Repository is not defined", fix: Install.applyCommand)
        guard let all = findings.look(facts.repositories, "the repositories", missing: missing) else { return }
        if all.isEmpty {
            findings.warn("there is no Repository", fix: "kubectl apply -f a Repository (docs/reference/objects.md)")
        }
        for repository in all {
            let object = repository.object
            let namespace = object[path: "metadata", "namespace"]?.string ?? ""
            let place = "\(namespace)/\(object[path: "metadata", "name"]?.string ?? "")"
            let secret = object[path: "spec", "backend", "storageSecretName"]?.string ?? "?"
            let needed = repositoryKeys(object)
            let make =
                "kubectl create secret generic \(secret) -n \(namespace) "
                + needed.map { "--from-literal=\($0)=…" }.joined(separator: " ")
            var good = true
            let absent = (message: "its secret '\(secret)' does not exist", fix: make)
            if let keys = findings.look(repository.keys, "its secret '\(secret)'", place, missing: absent) {
                let lacking = needed.filter { !keys.contains($0) }
                if !lacking.isEmpty {
                    findings.fail("its secret '\(secret)' lacks \(lacking.joined(separator: ", "))", place, fix: make)
                    good = false
                }
            } else {
                good = false
            }
            if case .found(false) = repository.isReadable {
                findings.fail(
                    "the coordinator may not read its secret '\(secret)'",
                    place,
                    fix: "kubectl create role remora-\(secret) -n \(namespace) --verb=get --resource=secrets "
                        + "--resource-name=\(secret); kubectl create rolebinding remora-\(secret) -n \(namespace) "
                        + "--role=remora-\(secret) --serviceaccount=\(facts.systemNamespace):\(Install.coordinatorAccount)"
                )
                good = false
            }
            for condition in object[path: "status", "conditions"]?.array ?? []
            where condition["status"]?.string == "False" {
                let message = condition["message"]?.string ?? condition["reason"]?.string ?? "no reason is given"
                findings.fail(
                    "\(condition["type"]?.string ?? "?") is False: \(message)",
                    place,
                    fix: "kubectl describe repositories.\(Install.group) -n \(namespace)"
                )
                good = false
            }
            if good { findings.ok("its secret has what it needs, and it was reached", place) }
        }
    }
}
