import Kubernetes

/// The schemas of the kinds that every API server has.
enum BuiltinSchemas {
    static let objectMeta = notation.schema("ObjectMeta")

    static let notation = SchemaNotation(
        [BuiltinNotation.meta, BuiltinNotation.pod, BuiltinNotation.core, BuiltinNotation.apps, BuiltinNotation.policy]
            .joined(separator: "\n") + "\n" + kinds
    )

    private static let kinds = """
        Namespace:spec NamespaceSpec;status NamespaceStatus
        Pod:spec PodSpec;status PodStatus
        Secret:data {by};stringData {s};type s;immutable b
        ConfigMap:data {s};binaryData {by};immutable b
        Service:spec ServiceSpec;status ServiceStatus
        ServiceAccount:secrets [ObjectRef]{name};imagePullSecrets [LocalRef]{name};automountServiceAccountToken b
        Node:spec NodeSpec;status NodeStatus
        PersistentVolumeClaim:spec ClaimSpec;status ClaimStatus
        Event:eventTime mt;series EventSeries;reportingController s;reportingInstance s;action s;reason s;regarding ObjectRef
        Event:related ObjectRef;note s;type s;deprecatedSource any;deprecatedFirstTimestamp t;deprecatedLastTimestamp t
        Event:deprecatedCount i
        CoreEvent:involvedObject ObjectRef;reason s;message s;source any;firstTimestamp t;lastTimestamp t;count i;type s
        CoreEvent:eventTime mt;series EventSeries;action s;related ObjectRef;reportingComponent s;reportingInstance s
        Lease:spec LeaseSpec
        LimitRange:spec LimitRangeSpec
        LimitRangeSpec:limits [LimitRangeItem]
        LimitRangeItem:type s;max {q};min {q};default {q};defaultRequest {q};maxLimitRequestRatio {q}
        ResourceQuota:spec QuotaSpec;status QuotaStatus
        QuotaSpec:hard {q};scopes [s];scopeSelector any
        QuotaStatus:hard {q};used {q}
        StatefulSet:spec StatefulSetSpec;status WorkloadStatus
        Deployment:spec DeploymentSpec;status WorkloadStatus
        DaemonSet:spec DaemonSetSpec;status WorkloadStatus
        ReplicaSet:spec ReplicaSetSpec;status WorkloadStatus
        PodDisruptionBudget:spec BudgetSpec;status BudgetStatus
        NetworkPolicy:spec PolicySpec
        Role:rules [Rule]
        ClusterRole:rules [Rule];aggregationRule AggregationRule
        RoleBinding:subjects [Subject];roleRef RoleRef
        ClusterRoleBinding:subjects [Subject];roleRef RoleRef
        MutatingWebhookConfiguration:webhooks [Webhook]{name}
        ValidatingWebhookConfiguration:webhooks [Webhook]{name}
        ValidatingAdmissionPolicy:spec PolicySpecV;status any
        ValidatingAdmissionPolicyBinding:spec BindingSpec
        CustomResourceDefinition:spec DefinitionSpec;status DefinitionStatus
        PriorityClass:value i;globalDefault b;description s;preemptionPolicy s
        Scale:spec ScaleSpec;status any
        ScaleSpec:replicas i
        TokenRequest:spec TokenSpec;status TokenStatus
        TokenReview:spec ReviewSpec;status any
        SubjectAccessReview:spec AccessSpec;status any
        SelfSubjectAccessReview:spec AccessSpec;status any
        LocalSubjectAccessReview:spec AccessSpec;status any
        SelfSubjectReview:status any
        SelfSubjectRulesReview:spec RulesSpec;status any
        """

    static func object(_ kind: String) -> Schema {
        var schema = notation.schema(kind)
        schema.properties["apiVersion"] = Schema(type: "string")
        schema.properties["kind"] = Schema(type: "string")
        schema.properties["metadata"] = objectMeta
        return schema
    }
}
