/// The built-in types' fields, as the API's reference names them (version 1.36).
enum BuiltinNotation {
    static let meta = """
        ObjectMeta:name s;generateName s;namespace s;selfLink s;uid s;resourceVersion s;generation i;creationTimestamp t
        ObjectMeta:deletionTimestamp t;deletionGracePeriodSeconds i;labels {s};annotations {s};finalizers [s]set
        ObjectMeta:ownerReferences [OwnerReference]{uid};managedFields [any]
        OwnerReference:apiVersion s;kind s;name s;uid s;controller b;blockOwnerDeletion b
        ListMeta:continue s;remainingItemCount i;resourceVersion s;selfLink s
        Condition:type s;status s;observedGeneration i;lastTransitionTime t;reason s;message s
        LabelSelector:matchLabels {s};matchExpressions [Requirement]
        Requirement:key s;operator s;values [s]
        LocalRef:name s
        ObjectRef:apiVersion s;kind s;name s;namespace s;uid s;resourceVersion s;fieldPath s
        """

    static let pod = """
        PodSpec:volumes [Volume]{name};initContainers [Container]{name};containers [Container]{name}
        PodSpec:ephemeralContainers [Container]{name};restartPolicy s;terminationGracePeriodSeconds i;activeDeadlineSeconds i
        PodSpec:dnsPolicy s;nodeSelector ~{s};serviceAccountName s;serviceAccount s;automountServiceAccountToken b;nodeName s
        PodSpec:hostNetwork b;hostPID b;hostIPC b;shareProcessNamespace b;securityContext PodSecurityContext
        PodSpec:imagePullSecrets [LocalRef]{name};hostname s;subdomain s;affinity Affinity;schedulerName s
        PodSpec:tolerations [Toleration];hostAliases [HostAlias]{ip};priorityClassName s;priority i;dnsConfig DNSConfig
        PodSpec:readinessGates [ReadinessGate];runtimeClassName s;enableServiceLinks b;preemptionPolicy s;overhead {q}
        PodSpec:topologySpreadConstraints [TopologySpread]{topologyKey,whenUnsatisfiable};setHostnameAsFQDN b;os PodOS
        PodSpec:hostUsers b;schedulingGates [LocalRef]{name};resourceClaims [any];resources Resources;hostnameOverride s
        PodOS:name s
        HostAlias:ip s;hostnames [s]
        DNSConfig:nameservers [s];searches [s];options [NameValue]
        NameValue:name s;value s
        ReadinessGate:conditionType s
        Toleration:key s;operator s;value s;effect s;tolerationSeconds i
        TopologySpread:maxSkew i;topologyKey s;whenUnsatisfiable s;labelSelector LabelSelector;minDomains i
        TopologySpread:nodeAffinityPolicy s;nodeTaintsPolicy s;matchLabelKeys [s]
        Affinity:nodeAffinity NodeAffinity;podAffinity PodAffinity;podAntiAffinity PodAffinity
        NodeAffinity:requiredDuringSchedulingIgnoredDuringExecution ~NodeSelector
        NodeAffinity:preferredDuringSchedulingIgnoredDuringExecution [PreferredNode]
        NodeSelector:nodeSelectorTerms [NodeTerm]
        NodeTerm:matchExpressions [Requirement];matchFields [Requirement]
        PreferredNode:weight i;preference NodeTerm
        PodAffinity:requiredDuringSchedulingIgnoredDuringExecution [PodTerm]
        PodAffinity:preferredDuringSchedulingIgnoredDuringExecution [WeightedTerm]
        WeightedTerm:weight i;podAffinityTerm PodTerm
        PodTerm:labelSelector LabelSelector;namespaces [s];topologyKey s;namespaceSelector LabelSelector;matchLabelKeys [s]
        PodTerm:mismatchLabelKeys [s]
        PodSecurityContext:seLinuxOptions SELinux;windowsOptions any;runAsUser i;runAsGroup i;runAsNonRoot b
        PodSecurityContext:supplementalGroups [i];supplementalGroupsPolicy s;fsGroup i;sysctls [NameValue];fsGroupChangePolicy s
        PodSecurityContext:seccompProfile Profile;appArmorProfile Profile;seLinuxChangePolicy s
        SELinux:user s;role s;type s;level s
        Profile:type s;localhostProfile s
        Container:name s;image s;command [s];args [s];workingDir s;ports [Port]{containerPort,protocol}^containerPort
        Container:envFrom [EnvFrom];env [EnvVar]{name};resources Resources;resizePolicy [ResizePolicy];restartPolicy s
        Container:restartPolicyRules [any];volumeMounts [Mount]{mountPath};volumeDevices [Device]{devicePath};livenessProbe Probe
        Container:readinessProbe Probe;startupProbe Probe;lifecycle Lifecycle;terminationMessagePath s
        Container:terminationMessagePolicy s;imagePullPolicy s;securityContext SecurityContext;stdin b;stdinOnce b;tty b
        Container:targetContainerName s
        ResizePolicy:resourceName s;restartPolicy s
        Port:name s;hostPort i;containerPort i;protocol s;hostIP s
        EnvFrom:prefix s;configMapRef OptionalRef;secretRef OptionalRef
        OptionalRef:name s;optional b
        EnvVar:name s;value s;valueFrom EnvSource
        EnvSource:fieldRef ~FieldRef;resourceFieldRef ~ResourceFieldRef;configMapKeyRef ~KeyRef;secretKeyRef ~KeyRef;fileKeyRef any
        FieldRef:apiVersion s;fieldPath s
        ResourceFieldRef:containerName s;resource s;divisor q
        KeyRef:name s;key s;optional b
        Resources:limits {q};requests {q};claims [ResourceClaim]{name}
        ResourceClaim:name s;request s
        Mount:name s;readOnly b;recursiveReadOnly s;mountPath s;subPath s;mountPropagation s;subPathExpr s
        Device:name s;devicePath s
        Probe:exec Exec;httpGet HTTPGet;tcpSocket TCP;grpc GRPC;initialDelaySeconds i;timeoutSeconds i;periodSeconds i
        Probe:successThreshold i;failureThreshold i;terminationGracePeriodSeconds i
        Exec:command [s]
        HTTPGet:path s;port is;host s;scheme s;httpHeaders [NameValue]
        TCP:port is;host s
        GRPC:port i;service s
        Lifecycle:postStart Handler;preStop Handler;stopSignal s
        Handler:exec Exec;httpGet HTTPGet;tcpSocket TCP;sleep Sleep
        Sleep:seconds i
        SecurityContext:capabilities Capabilities;privileged b;seLinuxOptions SELinux;windowsOptions any;runAsUser i
        SecurityContext:runAsGroup i;runAsNonRoot b;readOnlyRootFilesystem b;allowPrivilegeEscalation b;procMount s
        SecurityContext:seccompProfile Profile;appArmorProfile Profile
        Capabilities:add [s];drop [s]
        Volume:name s;hostPath HostPath;emptyDir EmptyDir;secret SecretVolume;nfs NFS;persistentVolumeClaim ClaimVolume
        Volume:downwardAPI DownwardVolume;configMap ConfigMapVolume;projected Projected;csi any;ephemeral any;image any
        Volume:gcePersistentDisk any;awsElasticBlockStore any;iscsi any;cephfs any;fc any;azureFile any;azureDisk any;rbd any
        HostPath:path s;type s
        EmptyDir:medium s;sizeLimit q
        NFS:server s;path s;readOnly b
        SecretVolume:secretName s;items [KeyPath];defaultMode i;optional b
        ConfigMapVolume:name s;items [KeyPath];defaultMode i;optional b
        KeyPath:key s;path s;mode i
        ClaimVolume:claimName s;readOnly b
        DownwardVolume:items [DownwardFile];defaultMode i
        DownwardFile:path s;fieldRef ~FieldRef;resourceFieldRef ~ResourceFieldRef;mode i
        Projected:sources [Source];defaultMode i
        Source:secret SecretSource;downwardAPI DownwardSource;configMap SecretSource;serviceAccountToken TokenSource
        Source:clusterTrustBundle any;podCertificate any
        SecretSource:name s;items [KeyPath];optional b
        DownwardSource:items [DownwardFile]
        TokenSource:audience s;expirationSeconds i;path s
        PodStatus:phase s;conditions [PodCondition]{type};message s;reason s;nominatedNodeName s;hostIP s;hostIPs [any];podIP s
        PodStatus:podIPs [PodIP]{ip};startTime t;initContainerStatuses [any];containerStatuses [any];qosClass s;resize s
        PodStatus:ephemeralContainerStatuses [any];observedGeneration i;resourceClaimStatuses [any];allocatedResources {q}
        PodIP:ip s
        PodCondition:type s;status s;lastProbeTime t;lastTransitionTime t;reason s;message s;observedGeneration i
        PodTemplate:metadata ObjectMeta;spec PodSpec
        """

    static let core = """
        NamespaceSpec:finalizers [s]
        NamespaceStatus:phase s;conditions [Condition]{type}
        ServiceSpec:ports [ServicePort]{port,protocol}^port;selector ~{s};clusterIP s;clusterIPs [s];type s;externalIPs [s]
        ServiceSpec:sessionAffinity s;loadBalancerIP s;loadBalancerSourceRanges [s];externalName s;externalTrafficPolicy s
        ServiceSpec:healthCheckNodePort i;publishNotReadyAddresses b;sessionAffinityConfig any;ipFamilies [s];ipFamilyPolicy s
        ServiceSpec:allocateLoadBalancerNodePorts b;loadBalancerClass s;internalTrafficPolicy s;trafficDistribution s
        ServicePort:name s;protocol s;appProtocol s;port i;targetPort is;nodePort i
        ServiceStatus:loadBalancer any;conditions [Condition]{type}
        NodeSpec:podCIDR s;podCIDRs [s]set;providerID s;unschedulable b;taints [any]
        NodeStatus:capacity {q};allocatable {q};phase s;conditions [any];addresses [any];nodeInfo any;images [any];daemonEndpoints any
        ClaimSpec:accessModes [s];selector LabelSelector;resources Resources;volumeName s;storageClassName s;volumeMode s
        ClaimSpec:dataSource any;dataSourceRef any;volumeAttributesClassName s
        ClaimStatus:phase s;accessModes [s];capacity {q};conditions [Condition]{type}
        ClaimTemplate:apiVersion s;kind s;metadata ObjectMeta;spec ClaimSpec;status ClaimStatus
        EventSeries:count i;lastObservedTime mt
        LeaseSpec:holderIdentity s;leaseDurationSeconds i;acquireTime mt;renewTime mt;leaseTransitions i;strategy s
        LeaseSpec:preferredHolder s
        """

    static let apps = """
        StatefulSetSpec:replicas i;selector LabelSelector;template PodTemplate;volumeClaimTemplates [ClaimTemplate];serviceName s
        StatefulSetSpec:podManagementPolicy s;updateStrategy UpdateStrategy;revisionHistoryLimit i;minReadySeconds i
        StatefulSetSpec:persistentVolumeClaimRetentionPolicy RetentionPolicy;ordinals Ordinals
        RetentionPolicy:whenDeleted s;whenScaled s
        Ordinals:start i
        UpdateStrategy:type s;rollingUpdate RollingUpdate
        RollingUpdate:partition i;maxUnavailable is;maxSurge is
        DeploymentSpec:replicas i;selector LabelSelector;template PodTemplate;strategy UpdateStrategy;minReadySeconds i
        DeploymentSpec:revisionHistoryLimit i;paused b;progressDeadlineSeconds i
        DaemonSetSpec:selector LabelSelector;template PodTemplate;updateStrategy UpdateStrategy;minReadySeconds i
        DaemonSetSpec:revisionHistoryLimit i
        ReplicaSetSpec:replicas i;minReadySeconds i;selector LabelSelector;template PodTemplate
        WorkloadStatus:observedGeneration i;replicas i;readyReplicas i;availableReplicas i;updatedReplicas i;currentReplicas i
        WorkloadStatus:currentRevision s;updateRevision s;collisionCount i;conditions [WorkloadCondition]{type}
        WorkloadStatus:unavailableReplicas i;fullyLabeledReplicas i;terminatingReplicas i;numberReady i;desiredNumberScheduled i
        WorkloadCondition:type s;status s;lastUpdateTime t;lastTransitionTime t;reason s;message s
        BudgetSpec:minAvailable is;selector ~LabelSelector;maxUnavailable is;unhealthyPodEvictionPolicy s
        BudgetStatus:observedGeneration i;disruptionsAllowed i;currentHealthy i;desiredHealthy i;expectedPods i;disruptedPods {t}
        BudgetStatus:conditions [Condition]{type}
        PolicySpec:podSelector LabelSelector;ingress [Ingress];egress [Egress];policyTypes [s]
        Ingress:ports [PolicyPort];from [Peer]
        Egress:ports [PolicyPort];to [Peer]
        PolicyPort:protocol s;port is;endPort i
        Peer:podSelector LabelSelector;namespaceSelector LabelSelector;ipBlock IPBlock
        IPBlock:cidr s;except [s]
        """

    static let policy = """
        Rule:verbs [s];apiGroups [s];resources [s];resourceNames [s];nonResourceURLs [s]
        Subject:kind s;apiGroup s;name s;namespace s
        RoleRef:apiGroup s;kind s;name s
        AggregationRule:clusterRoleSelectors [LabelSelector]
        WebhookRule:operations [s];apiGroups [s];apiVersions [s];resources [s];scope s
        NamedRule:operations [s];apiGroups [s];apiVersions [s];resources [s];scope s;resourceNames [s]
        ServiceRef:namespace s;name s;path s;port i
        WebhookClient:url s;service ServiceRef;caBundle by
        MatchCondition:name s;expression s
        Webhook:name s;clientConfig WebhookClient;rules [WebhookRule];failurePolicy s;matchPolicy s
        Webhook:namespaceSelector LabelSelector;objectSelector LabelSelector;sideEffects s;timeoutSeconds i
        Webhook:admissionReviewVersions [s];reinvocationPolicy s;matchConditions [MatchCondition]{name}
        ParamKind:apiVersion s;kind s
        MatchResources:namespaceSelector LabelSelector;objectSelector LabelSelector;resourceRules [NamedRule]
        MatchResources:excludeResourceRules [NamedRule];matchPolicy s
        Validation:expression s;message s;reason s;messageExpression s
        AuditAnnotation:key s;valueExpression s
        Variable:name s;expression s
        PolicySpecV:paramKind ParamKind;matchConstraints MatchResources;validations [Validation];failurePolicy s
        PolicySpecV:auditAnnotations [AuditAnnotation];matchConditions [MatchCondition]{name};variables [Variable]{name}
        ParamRef:name s;namespace s;selector LabelSelector;parameterNotFoundAction s
        BindingSpec:policyName s;paramRef ParamRef;matchResources MatchResources;validationActions [s]set
        DefinitionNames:plural s;singular s;shortNames [s];kind s;listKind s;categories [s]
        Column:name s;type s;format s;description s;priority i;jsonPath s
        SelectableField:jsonPath s
        DefinitionVersion:name s;served b;storage b;deprecated b;deprecationWarning s;schema any;subresources any
        DefinitionVersion:additionalPrinterColumns [Column];selectableFields [SelectableField]
        DefinitionSpec:group s;names DefinitionNames;scope s;versions [DefinitionVersion];conversion any;preserveUnknownFields b
        DefinitionStatus:observedGeneration i;conditions [Condition]{type};acceptedNames DefinitionNames;storedVersions [s]
        BoundRef:kind s;apiVersion s;name s;uid s
        TokenSpec:audiences [s];expirationSeconds i;boundObjectRef BoundRef
        TokenStatus:token s;expirationTimestamp t
        ReviewSpec:token s;audiences [s]
        AccessSpec:resourceAttributes ResourceAttributes;nonResourceAttributes PathAttributes;user s;groups [s];uid s;extra any
        ResourceAttributes:namespace s;verb s;group s;version s;resource s;subresource s;name s;fieldSelector any;labelSelector any
        PathAttributes:path s;verb s
        RulesSpec:namespace s
        """
}
