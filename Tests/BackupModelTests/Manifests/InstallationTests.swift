import BackupModel
import Foundation
import Testing

/// What the installation promises about privileges, admission and the coordinator's pods.
@Suite("The objects of manifests/base")
struct InstallationTests {
    typealias Map = [String: Any]

    /// One rule of a role.
    struct Rule {
        var role: String
        var isClusterWide: Bool
        var groups: [String]
        var resources: [String]
        var names: [String]
        var verbs: [String]
    }

    private static func rules(of name: String? = nil) throws -> [Rule] {
        try Kustomization(".").objects.flatMap { object -> [Rule] in
            let kind = object["kind"] as? String ?? ""
            guard kind == "ClusterRole" || kind == "Role" else { return [] }
            let role = Kustomization.name(object)
            guard name == nil || role == name else { return [] }
            return (object["rules"] as? [Map] ?? []).map { rule in
                let list = { (key: String) in rule[key] as? [String] ?? [] }
                return Rule(
                    role: role,
                    isClusterWide: kind == "ClusterRole",
                    groups: list("apiGroups"),
                    resources: list("resources"),
                    names: list("resourceNames"),
                    verbs: list("verbs")
                )
            }
        }
    }

    @Test("nobody gets a wildcard, Secrets of the whole cluster, exec, or new pods")
    func leastPrivilege() throws {
        let rules = try Self.rules()
        #expect(rules.count > 10)
        for rule in rules {
            #expect(!(rule.verbs + rule.resources + rule.groups).contains("*"), "\(rule)")
            let ways = rule.resources.filter { $0.hasPrefix("pods/") || $0 == "serviceaccounts/token" }
            #expect(ways.isEmpty || Self.rolesOfPeople.contains(rule.role), "\(rule)")
            #expect(Set(rule.verbs).isDisjoint(with: ["escalate", "bind", "impersonate"]), "\(rule)")
            if rule.resources.contains("secrets") {
                #expect(!rule.isClusterWide, "\(rule)")
                #expect(!rule.names.isEmpty || rule.verbs == ["create"], "\(rule)")
            }
            if rule.resources.contains("pods") {
                #expect(Set(rule.verbs).isDisjoint(with: ["create", "delete"]), "\(rule)")
                #expect(!rule.isClusterWide || !rule.verbs.contains("patch"), "\(rule)")
            }
            let isShared = rule.resources.contains("configmaps") || rule.resources.contains("leases")
            if isShared, rule.isClusterWide { #expect(!rule.names.isEmpty, "\(rule)") }
        }
    }

    /// What administrators may bind to people, so that they reach the coordinator.
    private static let rolesOfPeople: Set = ["remora-viewer-access", "remora-operator-access"]

    @Test("people reach the coordinator by port-forward and tokens of two accounts, and nobody is bound to that yet")
    func wayOfPeople() throws {
        for rule in try Self.rules() where Self.rolesOfPeople.contains(rule.role) {
            #expect(!rule.isClusterWide)
            let ways = rule.resources.filter { $0.contains("/") }
            #expect(Set(ways).isSubset(of: ["pods/portforward", "serviceaccounts/token"]))
            guard ways == ["serviceaccounts/token"] else { continue }
            #expect(rule.names == [rule.role.replacing("-access", with: "")] && rule.verbs == ["create"])
        }
        let bound = try Kustomization(".").objects.compactMap { ($0["roleRef"] as? Map)?["name"] as? String }
        #expect(bound.count > 2)
        #expect(Self.rolesOfPeople.isDisjoint(with: bound))
    }

    @Test("the coordinator sees every kind and writes every kind's status", arguments: Schema.plurals)
    func coordinatorRules(plural: String) throws {
        let rules = try Self.rules(of: "remora-coordinator").filter { $0.groups == ["remora.dev"] }
        let verbs = { (resource: String) in Set(rules.filter { $0.resources.contains(resource) }.flatMap(\.verbs)) }
        #expect(verbs(plural).isSuperset(of: ["get", "list", "watch"]))
        #expect(verbs("\(plural)/status").isSuperset(of: ["update", "patch"]))
    }

    @Test("who may edit must not thereby restore, or use others' repositories")
    func people() throws {
        for role in ["remora-view", "remora-edit", "remora-admin"] {
            for rule in try Self.rules(of: role) {
                #expect(!rule.verbs.contains("restore"), "\(rule)")
                #expect(!(rule.resources.contains("restoresessions") && rule.verbs.contains("create")), "\(rule)")
                #expect(role == "remora-admin" || !rule.verbs.contains("use"), "\(rule)")
            }
        }
        let operators = try Self.rules(of: "remora-restore-operator")
        #expect(operators.contains { $0.resources == ["appbindings"] && $0.verbs == ["restore"] })
        let role = try Kustomization(".").object("ClusterRole", "remora-restore-operator")
        #expect(try !Kustomization.text(role).contains("aggregate-to"))
    }

    @Test("the webhook is asked only about pods that ask, never about our own, and fails open")
    func webhook() throws {
        let object = try Kustomization(".").object("MutatingWebhookConfiguration", "zz-remora-injector")
        let hook = try #require((object["webhooks"] as? [Map])?.first)
        #expect(hook["failurePolicy"] as? String == "Ignore" && hook["sideEffects"] as? String == "None")
        #expect(hook["reinvocationPolicy"] as? String == "IfNeeded" && hook["timeoutSeconds"] as? Int == 5)
        let service = try #require((hook["clientConfig"] as? Map)?["service"] as? Map)
        let target = try Kustomization(".").object("Service", service["name"] as? String ?? "")
        let port = try #require(((target["spec"] as? Map)?["ports"] as? [Map])?.first)
        #expect(port["port"] as? Int == service["port"] as? Int)
        let text = try Kustomization.text(hook)
        for part in [
            "kube-system", "remora-system", "'remora.dev\\/inject' in object.metadata.annotations",
            "kubernetes.io\\/config.mirror", "{\"key\":\"app.kubernetes.io\\/part-of\",\"operator\":\"NotIn\"",
            "{\"key\":\"remora.dev\\/injection\",\"operator\":\"NotIn\",\"values\":[\"disabled\"]}",
        ] { #expect(text.contains(part), "\(part) is not in \(text)") }
    }

    @Test("services, budget and network policy select the coordinator's pods, and name ports that they have")
    func selectors() throws {
        let all = try Kustomization(".")
        let template = try #require(
            (try all.object("Deployment", "remora-coordinator")["spec"] as? Map)?["template"] as? Map
        )
        var labels = try #require((template["metadata"] as? Map)?["labels"] as? [String: String])
        labels["remora.dev/leader"] = "true"  // as the leader marks its pod
        let container = try #require(((template["spec"] as? Map)?["containers"] as? [Map])?.first)
        let ports = (container["ports"] as? [Map] ?? []).compactMap { $0["name"] as? String }
        for name in ["remora-webhook", "remora-agents"] {
            let spec = try #require(try all.object("Service", name)["spec"] as? Map)
            for (key, value) in spec["selector"] as? [String: String] ?? ["": "none"] {
                #expect(labels[key] == value, "\(name)")
            }
            let port = try #require((spec["ports"] as? [Map])?.first)
            #expect(ports.contains(port["targetPort"] as? String ?? ""))
        }
        let agents = try Kustomization.text(all.object("Service", "remora-agents"))
        let webhook = try Kustomization.text(all.object("Service", "remora-webhook"))
        #expect(agents.contains("remora.dev\\/leader") && !webhook.contains("remora.dev\\/leader"))
        for (kind, key) in [("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")] {
            let spec = try #require(try all.object(kind, "remora-coordinator")["spec"] as? Map)
            let wanted = try #require((spec[key] as? Map)?["matchLabels"] as? [String: String])
            #expect(wanted.allSatisfy { labels[$0.key] == $0.value })
        }
    }

    @Test("the coordinator's pod is as restricted as its namespace demands")
    func restricted() throws {
        let namespace = try Kustomization.text(Kustomization(".").object("Namespace", "remora-system"))
        #expect(namespace.contains("\"pod-security.kubernetes.io\\/enforce\":\"restricted\""))
        let text = try Kustomization.text(Kustomization(".").object("Deployment", "remora-coordinator"))
        for part in [
            "\"runAsNonRoot\":true", "\"readOnlyRootFilesystem\":true", "\"allowPrivilegeEscalation\":false",
            "\"drop\":[\"ALL\"]", "\"seccompProfile\":{\"type\":\"RuntimeDefault\"}", "\"replicas\":2",
            "\"priorityClassName\":\"system-cluster-critical\"", "\"path\":\"\\/readyz\"", "\"path\":\"\\/healthz\"",
        ] { #expect(text.contains(part), "\(part) is not in \(text)") }
        #expect(!text.contains("hostPath") && !text.contains("hostNetwork"))
    }

    @Test("the image that is put beside databases has run in the coordinator's own pod before")
    func agentImage() throws {
        let spec = try #require(try Kustomization(".").object("Deployment", "remora-coordinator")["spec"] as? Map)
        let pod = try #require((spec["template"] as? Map)?["spec"] as? Map)
        let first = try #require((pod["initContainers"] as? [Map])?.first)
        let container = try #require((pod["containers"] as? [Map])?.first)
        let variables = container["env"] as? [Map] ?? []
        let injected = variables.first { $0["name"] as? String == "REMORA_AGENT_IMAGE" }?["value"] as? String
        #expect(injected?.contains(":") == true, "with a tag: it is not a name that nobody filled in")
        #expect(first["image"] as? String == injected)
        // It ends by itself, and a failure to pull it or to start is one of the pod.
        #expect(first["args"] as? [String] == ["--version"] && first["restartPolicy"] == nil)
        // While it doesn't get ready, nothing of what serves is taken away.
        let strategy = try #require((spec["strategy"] as? Map)?["rollingUpdate"] as? Map)
        #expect(strategy["maxUnavailable"] as? Int == 0)
    }

    @Test("every policy is bound, denies, and asks for a verb of our own")
    func policies() throws {
        let all = try Kustomization(".")
        let policies = all.objects.filter { $0["kind"] as? String == "ValidatingAdmissionPolicy" }
        #expect(policies.map(Kustomization.name) == ["restore.remora.dev", "repository-use.remora.dev"])
        for (policy, verb) in zip(policies, ["restore", "use"]) {
            let binding = try all.object("ValidatingAdmissionPolicyBinding", Kustomization.name(policy))
            let spec = try #require(binding["spec"] as? Map)
            #expect(spec["policyName"] as? String == Kustomization.name(policy))
            #expect(spec["validationActions"] as? [String] == ["Deny"])
            let text = try Kustomization.text(policy)
            #expect(text.contains(".check('\(verb)').allowed()") && text.contains("\"failurePolicy\":\"Fail\""))
        }
    }

    @Test("everything has the labels by which it is found, and nothing namespaced is outside of our namespace")
    func labels() throws {
        for object in try Kustomization(".").objects {
            let metadata = try #require(object["metadata"] as? Map)
            let labels = metadata["labels"] as? [String: String]
            let place = "\(object["kind"] ?? "") \(Kustomization.name(object))"
            #expect(labels?["app.kubernetes.io/part-of"] == "remora.dev", "\(place)")
            #expect(labels?["app.kubernetes.io/name"] == "remora", "\(place)")
            if let namespace = metadata["namespace"] as? String { #expect(namespace == "remora-system", "\(place)") }
        }
    }
}
