import Kubernetes

extension ClusterFacts.Right {
    /// What the coordinator does with the API server: as the manifests' roles grant it (`manifests/`).
    static func needed(in systemNamespace: String) -> [ClusterFacts.Right] {
        func right(_ verb: String, _ resource: String, _ group: String = "", to purpose: String) -> Self {
            Self(verb: verb, group: group, resource: resource, purpose: purpose)
        }
        var all = [
            right("watch", "pods", to: "find pods whose agent is missing"),
            right("watch", "namespaces", to: "know which namespaces want no agents"),
            right("get", "replicasets", "apps", to: "know which Deployment a blueprint's configuration belongs to"),
            right("list", "limitranges", to: "fit agents to what a namespace allows"),
            right("list", "resourcequotas", to: "fit agents to what a namespace's quotas demand"),
            right("create", "tokenreviews", "authentication.k8s.io", to: "know agents and people by their tokens"),
            right("create", "subjectaccessreviews", "authorization.k8s.io", to: "let people do what they may"),
            right("create", "events", "events.k8s.io", to: "tell what happens"),
        ]
        for resource in Install.definitions {
            all.append(right("watch", resource, Install.group, to: "know what it is to do"))
        }
        for resource in ["backupsessions", "restoresessions"] {
            all.append(right("create", resource, Install.group, to: "begin what is due or asked for"))
            var status = right("patch", resource, Install.group, to: "say how it goes")
            status.subresource = "status"
            all.append(status)
        }
        var webhook = right(
            "patch",
            "mutatingwebhookconfigurations",
            "admissionregistration.k8s.io",
            to: "publish its authority"
        )
        webhook.name = Install.webhookConfiguration
        all.append(webhook)
        var lease = right("update", "leases", "coordination.k8s.io", to: "agree on a leader")
        lease.namespace = systemNamespace
        lease.name = Install.leaderLease
        all.append(lease)
        return all
    }

    var question: AccessQuestion {
        AccessQuestion(
            verb: verb,
            APIResource(group: group, version: "", plural: resource, kind: ""),
            subresource: subresource,
            namespace: namespace,
            name: name
        )
    }
}
