/// The resources that every API server has, as far as tests need them.
enum BuiltinResources {
    static let all: [ResourceType] = core + apps + rbac + admission + reviews

    private static func make(
        _ group: String,
        _ resource: String,
        _ kind: String,
        short: [String] = [],
        namespaced: Bool = true,
        names: NameRule = .subdomain,
        sub: Set<String> = [],
        generation: Bool = false,
        fields: [String] = [],
        unconditional: Bool = true,
        virtual: Bool = false,
        categories: [String] = [],
        schema: String? = nil
    ) -> ResourceType {
        ResourceType(
            group: group,
            version: "v1",
            resource: resource,
            kind: kind,
            singular: kind.lowercased(),
            shortNames: short,
            categories: categories,
            isNamespaced: namespaced,
            nameRule: names,
            subresources: sub,
            schema: BuiltinSchemas.object(schema ?? kind),
            isVirtual: virtual,
            hasGeneration: generation,
            selectableFields: fields,
            allowsUnconditionalUpdate: unconditional
        )
    }

    private static let core = [
        make(
            "",
            "namespaces",
            "Namespace",
            short: ["ns"],
            namespaced: false,
            names: .label,
            sub: ["status"],
            fields: ["status.phase"]
        ),
        make(
            "",
            "pods",
            "Pod",
            short: ["po"],
            sub: ["status", "eviction"],
            generation: true,
            fields: [
                "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
                "spec.hostNetwork", "status.phase", "status.podIP",
            ],
            categories: ["all"]
        ),
        make("", "secrets", "Secret", fields: ["type"]),
        make("", "configmaps", "ConfigMap", short: ["cm"]),
        make(
            "",
            "services",
            "Service",
            short: ["svc"],
            names: .label1035,
            sub: ["status"],
            fields: ["spec.clusterIP", "spec.type"],
            categories: ["all"]
        ),
        make("", "serviceaccounts", "ServiceAccount", short: ["sa"], sub: ["token"]),
        make("", "nodes", "Node", short: ["no"], namespaced: false, sub: ["status"], fields: ["spec.unschedulable"]),
        make("", "persistentvolumeclaims", "PersistentVolumeClaim", short: ["pvc"], sub: ["status"]),
        make(
            "",
            "events",
            "Event",
            short: ["ev"],
            fields: [
                "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
                "reason", "type",
            ],
            schema: "CoreEvent"
        ),
        make(
            "events.k8s.io",
            "events",
            "Event",
            short: ["ev"],
            fields: ["regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "reason", "type"]
        ),
        make("", "limitranges", "LimitRange", short: ["limits"]),
        make("", "resourcequotas", "ResourceQuota", short: ["quota"], sub: ["status"]),
        make("coordination.k8s.io", "leases", "Lease", unconditional: false),
        make("scheduling.k8s.io", "priorityclasses", "PriorityClass", short: ["pc"], namespaced: false),
    ]

    private static let apps = [
        make(
            "apps",
            "statefulsets",
            "StatefulSet",
            short: ["sts"],
            names: .subdomain,
            sub: ["status", "scale"],
            generation: true,
            categories: ["all"]
        ),
        make(
            "apps",
            "deployments",
            "Deployment",
            short: ["deploy"],
            sub: ["status", "scale"],
            generation: true,
            categories: ["all"]
        ),
        make("apps", "daemonsets", "DaemonSet", short: ["ds"], sub: ["status"], generation: true, categories: ["all"]),
        make(
            "apps",
            "replicasets",
            "ReplicaSet",
            short: ["rs"],
            sub: ["status", "scale"],
            generation: true,
            categories: ["all"]
        ),
        make(
            "policy",
            "poddisruptionbudgets",
            "PodDisruptionBudget",
            short: ["pdb"],
            sub: ["status"],
            generation: true,
            unconditional: false
        ),
        make("networking.k8s.io", "networkpolicies", "NetworkPolicy", short: ["netpol"], generation: true),
    ]

    private static let rbac = [
        make("rbac.authorization.k8s.io", "roles", "Role", names: .pathSegment),
        make("rbac.authorization.k8s.io", "clusterroles", "ClusterRole", namespaced: false, names: .pathSegment),
        make("rbac.authorization.k8s.io", "rolebindings", "RoleBinding", names: .pathSegment),
        make(
            "rbac.authorization.k8s.io",
            "clusterrolebindings",
            "ClusterRoleBinding",
            namespaced: false,
            names: .pathSegment
        ),
    ]

    private static let admission = [
        make(
            "admissionregistration.k8s.io",
            "mutatingwebhookconfigurations",
            "MutatingWebhookConfiguration",
            namespaced: false,
            generation: true,
            unconditional: false
        ),
        make(
            "admissionregistration.k8s.io",
            "validatingwebhookconfigurations",
            "ValidatingWebhookConfiguration",
            namespaced: false,
            generation: true,
            unconditional: false
        ),
        make(
            "admissionregistration.k8s.io",
            "validatingadmissionpolicies",
            "ValidatingAdmissionPolicy",
            namespaced: false,
            sub: ["status"],
            generation: true,
            unconditional: false
        ),
        make(
            "admissionregistration.k8s.io",
            "validatingadmissionpolicybindings",
            "ValidatingAdmissionPolicyBinding",
            namespaced: false,
            generation: true,
            unconditional: false
        ),
        make(
            "apiextensions.k8s.io",
            "customresourcedefinitions",
            "CustomResourceDefinition",
            short: ["crd", "crds"],
            namespaced: false,
            sub: ["status"],
            generation: true,
            unconditional: false,
            categories: ["api-extensions"]
        ),
    ]

    private static let reviews = [
        make("authentication.k8s.io", "tokenreviews", "TokenReview", namespaced: false, virtual: true),
        make("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", namespaced: false, virtual: true),
        make("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", namespaced: false, virtual: true),
        make(
            "authorization.k8s.io",
            "selfsubjectaccessreviews",
            "SelfSubjectAccessReview",
            namespaced: false,
            virtual: true
        ),
        make(
            "authorization.k8s.io",
            "selfsubjectrulesreviews",
            "SelfSubjectRulesReview",
            namespaced: false,
            virtual: true
        ),
        make("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview", virtual: true),
    ]
}
