import BackupModel
import Injector
import Kubernetes

/// The cluster, and what the manifests put there.
extension DoctorCheck {
    /// Native sidecars are on by default from this minor version of Kubernetes 1 (KEP-753).
    static let firstWithSidecars = 29

    @Sendable static func apiServer(_ facts: ClusterFacts, _ findings: inout Findings) {
        switch facts.server {
        case .found(let version):
            let text = version["gitVersion"]?.string ?? "?"
            let minor = Int((version["minor"]?.string ?? "").prefix { $0.isNumber })
            guard let minor, version["major"]?.string == "1" else {
                return findings.warn(
                    "the API server at \(facts.serverURL) has the version '\(text)', which says nothing"
                )
            }
            if minor >= firstWithSidecars { return findings.ok("Kubernetes \(text) at \(facts.serverURL)") }
            findings.warn(
                "Kubernetes \(text) has no native sidecars: agents run as plain containers, which start after the database",
                fix: "upgrade to 1.\(firstWithSidecars) or newer"
            )
        case .missing, .notAsked:
            findings.fail("no API server answers at \(facts.serverURL)", fix: "kubectl cluster-info")
        case .denied(let reason), .failed(let reason): findings.fail(reason, fix: "kubectl cluster-info")
        }
    }

    @Sendable static func definitions(_ facts: ClusterFacts, _ findings: inout Findings) {
        let apply = (message: "it is not installed", fix: Install.applyCommand)
        var good = 0
        for (name, fetched) in facts.definitions.sorted(by: { $0.key < $1.key }) {
            guard let definition = findings.look(fetched, "the definition", name, missing: apply) else { continue }
            let versions = definition[path: "spec", "versions"]?.array ?? []
            guard versions.contains(where: { $0["name"]?.string == Install.version && $0["served"]?.bool == true })
            else {
                findings.fail("it does not serve \(Install.version)", name, fix: Install.applyCommand)
                continue
            }
            let conditions = definition[path: "status", "conditions"]?.array ?? []
            if let refused = conditions.first(where: {
                ["Established", "NamesAccepted"].contains($0["type"]?.string) && $0["status"]?.string == "False"
            }) {
                let reason = refused["message"]?.string ?? "the API server does not say why"
                findings.fail("it is not in use: \(reason)", name, fix: "kubectl describe crd \(name).\(Install.group)")
                continue
            }
            let installed = definition[path: "metadata", "labels"]?["app.kubernetes.io/version"]?.string
            if let installed, installed != RemoraVersion.current {
                findings.warn(
                    "it is that of version \(installed), and this program is \(RemoraVersion.current)",
                    name,
                    fix: "apply the manifests of the version you want: \(Install.applyCommand)"
                )
                continue
            }
            good += 1
        }
        if good == facts.definitions.count, good > 0 {
            findings.ok("\(good) kinds of \(Install.group)/\(Install.version) are defined")
        }
    }

    @Sendable static func coordinators(_ facts: ClusterFacts, _ findings: inout Findings) {
        let nobody = "no coordinator runs in namespace \(facts.systemNamespace)"
        let missing = (message: nobody, fix: Install.applyCommand)
        guard let pods = findings.look(facts.coordinators, "the coordinators' pods", missing: missing) else { return }
        guard !pods.isEmpty else { return findings.fail(nobody, fix: Install.applyCommand) }
        let ready = pods.count { $0.isReady }
        for pod in pods where !pod.isReady && !pod.isEnding {
            let message = "it is not ready (\(pod.phase))"
            let fix =
                "kubectl describe pod \(pod.name) -n \(pod.namespace); kubectl logs \(pod.name) -n \(pod.namespace)"
            // One that works is enough for backups; the next failure of it would not be survived.
            if ready > 0 {
                findings.warn(message, pod.place, fix: fix)
            } else {
                findings.fail(message, pod.place, fix: fix)
            }
        }
        if ready > 0 { findings.ok("\(ready) of \(pods.count) coordinators are ready") }
        if let version = facts.status.value?.version, version != RemoraVersion.current {
            findings.warn("the coordinator is of version \(version), and this program of \(RemoraVersion.current)")
        }
    }

    @Sendable static func leader(_ facts: ClusterFacts, _ findings: inout Findings) {
        let logs = "kubectl logs -n \(facts.systemNamespace) -l \(Install.coordinatorSelector) --tail=50"
        let missing = (message: "no coordinator has ever led: there is no Lease '\(Install.leaderLease)'", fix: logs)
        if let lease = findings.look(facts.lease, "the Lease '\(Install.leaderLease)'", missing: missing) {
            let holder = lease[path: "spec", "holderIdentity"]?.string ?? ""
            let renewed = lease[path: "spec", "renewTime"]?.string.flatMap { Moment($0) }
            let duration = lease[path: "spec", "leaseDurationSeconds"]?.integer ?? 15
            // The coordinators' clocks are not ours: what the API server's clock says is nearer to theirs.
            let age = renewed.map { (facts.serverTime ?? facts.now).milliseconds(since: $0) / 1000 }
            if holder.isEmpty {
                findings.fail("nobody leads: the last leader gave it up", fix: logs)
            } else if let age, age > 4 * duration {
                findings.fail("\(holder) led, and was last heard of \(Format.age(seconds: age))", fix: logs)
            } else {
                findings.ok("\(holder) leads")
            }
        }
        guard let pods = facts.coordinators.value, !pods.isEmpty else { return }
        let leading = pods.filter { $0.labels[Install.leaderLabel] == "true" && !$0.isEnding }
        if leading.isEmpty {
            findings.fail(
                "no pod has the label \(Install.leaderLabel)=true: Service '\(Install.leaderService)' leads agents nowhere",
                fix: logs
            )
        } else if leading.count > 1 {
            let names = leading.map(\.name).sorted().joined(separator: ", ")
            findings.warn("several pods say that they lead: \(names)", fix: "wait a minute; if it stays so: \(logs)")
        }
    }

    @Sendable static func permissions(_ facts: ClusterFacts, _ findings: inout Findings) {
        var (allowed, unknown) = (0, [String]())
        for (right, answer) in facts.rights {
            switch answer {
            case .found(true): allowed += 1
            case .found(false):
                findings.fail(
                    "the coordinator may not \(right.summary), which it needs to \(right.purpose)",
                    fix: Install.applyCommand
                )
            case .denied(let reason), .failed(let reason): unknown.append(reason)
            case .missing, .notAsked: break
            }
        }
        if let reason = unknown.first {
            findings.warn("what the coordinator may do can't be looked at: \(reason)")
        } else if allowed == facts.rights.count, allowed > 0 {
            findings.ok("the coordinator has the \(allowed) rights that it needs")
        }
    }

    @Sendable static func webhook(_ facts: ClusterFacts, _ findings: inout Findings) {
        let name = Install.webhookConfiguration
        let missing = (
            message: "there is no MutatingWebhookConfiguration '\(name)': no pod gets an agent",
            fix: Install.applyCommand
        )
        guard let configuration = findings.look(facts.webhook, "the webhook's configuration", missing: missing) else {
            return
        }
        let hooks = configuration["webhooks"]?.array ?? []
        guard !hooks.isEmpty else { return findings.fail("'\(name)' has no webhooks", fix: Install.applyCommand) }
        let logs = "kubectl logs -n \(facts.systemNamespace) -l \(Install.coordinatorSelector) --tail=50"
        let authorityMissing = (
            message:
                "there is no ConfigMap '\(Install.authorityConfigMap)' in \(facts.systemNamespace): the leader writes it",
            fix: logs
        )
        let what = "the ConfigMap '\(Install.authorityConfigMap)'"
        let authority = findings.look(facts.authority, what, missing: authorityMissing).map(Certificates.init(pem:))
        var good = true
        for hook in hooks {
            let subject = hook["name"]?.string
            let service = hook[path: "clientConfig", "service"]
            if let service,
                service["name"]?.string != Install.webhookService
                    || service["namespace"]?.string != facts.systemNamespace
            {
                let place = "\(service["namespace"]?.string ?? "?")/\(service["name"]?.string ?? "?")"
                findings.fail(
                    "it asks Service \(place), not \(facts.systemNamespace)/\(Install.webhookService)",
                    subject,
                    fix: Install.applyCommand
                )
                good = false
            }
            guard let bundle = hook[path: "clientConfig", "caBundle"]?.string, !bundle.isEmpty else {
                findings.fail(
                    "it has no caBundle, so the API server trusts no webhook: the leader writes it",
                    subject,
                    fix: logs
                )
                good = false
                continue
            }
            guard let authority, let trusted = Certificates(base64: bundle) else { continue }
            if authority.isDisjoint(with: trusted) {
                findings.fail(
                    "its caBundle is not the coordinator's authority: the API server refuses the webhook",
                    subject,
                    fix: logs
                )
                good = false
            }
        }
        if good {
            findings.ok(
                "'\(name)' is registered\(authority == nil ? "" : ", and its caBundle is the coordinator's authority")"
            )
        }
    }

    @Sendable static func injection(_ facts: ClusterFacts, _ findings: inout Findings) {
        let place = "in namespace \(facts.trialNamespace)"
        let logs = "kubectl logs -n \(facts.systemNamespace) -l \(Install.coordinatorSelector) --tail=50"
        switch facts.trial {
        case .notAsked: return
        case .denied(let reason): findings.warn("a pod can't be tried \(place): \(reason)")
        case .missing: findings.warn("a pod can't be tried: there is no namespace '\(facts.trialNamespace)'")
        case .failed(let reason):
            findings.fail("the API server refuses a pod that asks for an agent \(place): \(reason)", fix: logs)
        case .found(let pod):
            if let error = pod.injectError {
                findings.fail("the webhook refuses to add an agent \(place): \(error)", fix: logs)
            } else if let agent = pod.agent {
                guard !agent.lacksRestartPolicy else {
                    return findings.fail(
                        "something takes restartPolicy from the agent's container \(place): pods would never start",
                        fix:
                            "find the webhook that does it: kubectl get mutatingwebhookconfigurations; until then annotate "
                            + "pods with \(Annotation.sidecar.name)=container"
                    )
                }
                findings.ok("a pod \(place) would get its agent: \(agent.image)")
            } else {
                findings.fail("a pod that asks for an agent \(place) gets none: the webhook does not answer", fix: logs)
            }
        }
    }

    /// Beyond this, leases and tokens are judged wrongly.
    private static let clockTolerance = 30

    @Sendable static func clock(_ facts: ClusterFacts, _ findings: inout Findings) {
        guard let serverTime = facts.serverTime else { return }
        let skew = abs(facts.now.milliseconds(since: serverTime) / 1000)
        if skew <= clockTolerance { return findings.ok("this machine and the API server have the same time") }
        findings.warn(
            "this machine's clock is \(Format.duration(seconds: skew)) away from the API server's",
            fix: "set the clock: timedatectl status"
        )
    }
}
