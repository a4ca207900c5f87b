/// A kind of object and where the API keeps it.
public struct APIResource: Sendable, Hashable {
    /// The API group; empty for the core group.
    public var group: String
    /// The version, like `v1`.
    public var version: String
    /// The name in URLs, like `pods`.
    public var plural: String
    /// The kind, like `Pod`.
    public var kind: String
    /// Whether its objects live in namespaces.
    public var isNamespaced: Bool

    /// Makes a resource; nothing is checked before it is used.
    public init(group: String, version: String, plural: String, kind: String, isNamespaced: Bool = true) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.isNamespaced = isNamespaced
    }

    /// Group and version as objects carry them, like `apps/v1` or `v1`.
    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// Plural and group as people write them, like `leases.coordination.k8s.io`.
    public var qualifiedName: String { group.isEmpty ? plural : "\(plural).\(group)" }
}

extension APIResource {
    /// Pods.
    public static let pods = APIResource(group: "", version: "v1", plural: "pods", kind: "Pod")
    /// Secrets.
    public static let secrets = APIResource(group: "", version: "v1", plural: "secrets", kind: "Secret")
    /// Configuration maps.
    public static let configMaps = APIResource(group: "", version: "v1", plural: "configmaps", kind: "ConfigMap")
    /// Services.
    public static let services = APIResource(group: "", version: "v1", plural: "services", kind: "Service")
    /// Service accounts.
    public static let serviceAccounts = APIResource(
        group: "",
        version: "v1",
        plural: "serviceaccounts",
        kind: "ServiceAccount"
    )
    /// Claims of volumes.
    public static let persistentVolumeClaims = APIResource(
        group: "",
        version: "v1",
        plural: "persistentvolumeclaims",
        kind: "PersistentVolumeClaim"
    )
    /// Namespaces.
    public static let namespaces = APIResource(
        group: "",
        version: "v1",
        plural: "namespaces",
        kind: "Namespace",
        isNamespaced: false
    )
    /// Bounds of what containers of a namespace may ask for.
    public static let limitRanges = APIResource(group: "", version: "v1", plural: "limitranges", kind: "LimitRange")
    /// Bounds of what a namespace may use.
    public static let resourceQuotas = APIResource(
        group: "",
        version: "v1",
        plural: "resourcequotas",
        kind: "ResourceQuota"
    )
    /// Nodes.
    public static let nodes = APIResource(
        group: "",
        version: "v1",
        plural: "nodes",
        kind: "Node",
        isNamespaced: false
    )
    /// Deployments.
    public static let deployments = APIResource(
        group: "apps",
        version: "v1",
        plural: "deployments",
        kind: "Deployment"
    )
    /// Stateful sets.
    public static let statefulSets = APIResource(
        group: "apps",
        version: "v1",
        plural: "statefulsets",
        kind: "StatefulSet"
    )
    /// Daemon sets.
    public static let daemonSets = APIResource(group: "apps", version: "v1", plural: "daemonsets", kind: "DaemonSet")
    /// Replica sets.
    public static let replicaSets = APIResource(
        group: "apps",
        version: "v1",
        plural: "replicasets",
        kind: "ReplicaSet"
    )
    /// Leases.
    public static let leases = APIResource(
        group: "coordination.k8s.io",
        version: "v1",
        plural: "leases",
        kind: "Lease"
    )
    /// Events, as they are written since 1.19.
    public static let events = APIResource(group: "events.k8s.io", version: "v1", plural: "events", kind: "Event")
    /// The question whose token it is.
    public static let tokenReviews = APIResource(
        group: "authentication.k8s.io",
        version: "v1",
        plural: "tokenreviews",
        kind: "TokenReview",
        isNamespaced: false
    )
    /// The question what somebody may do.
    public static let subjectAccessReviews = APIResource(
        group: "authorization.k8s.io",
        version: "v1",
        plural: "subjectaccessreviews",
        kind: "SubjectAccessReview",
        isNamespaced: false
    )
    /// The question what we ourselves may do.
    public static let selfSubjectAccessReviews = APIResource(
        group: "authorization.k8s.io",
        version: "v1",
        plural: "selfsubjectaccessreviews",
        kind: "SelfSubjectAccessReview",
        isNamespaced: false
    )
    /// Webhooks that may change objects.
    public static let mutatingWebhookConfigurations = APIResource(
        group: "admissionregistration.k8s.io",
        version: "v1",
        plural: "mutatingwebhookconfigurations",
        kind: "MutatingWebhookConfiguration",
        isNamespaced: false
    )
    /// Definitions of further kinds.
    public static let customResourceDefinitions = APIResource(
        group: "apiextensions.k8s.io",
        version: "v1",
        plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition",
        isNamespaced: false
    )
}
