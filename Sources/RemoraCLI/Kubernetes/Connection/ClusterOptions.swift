import ArgumentParser

/// Which Kubernetes cluster, as kubectl's users say it.
struct ClusterOptions: ParsableArguments {
    @Flag(
        help: "Reach the coordinator in Kubernetes, as kubectl remora does. REMORA_VIA_KUBERNETES=1"
    )
    var viaKubernetes = false

    @Option(help: ArgumentHelp("As kubectl's; if left out: KUBECONFIG or ~/.kube/config.", valueName: "file"))
    var kubeconfig: String?

    @Option(help: ArgumentHelp("As kubectl's: which of the kubeconfig's clusters.", valueName: "name"))
    var context: String?

    @Option(help: ArgumentHelp("The namespace in which Remora is installed.", valueName: "namespace"))
    var systemNamespace = Install.systemNamespace

    /// Whether any of it was given, so that a cluster must be meant.
    var isGiven: Bool {
        viaKubernetes || kubeconfig != nil || context != nil || systemNamespace != Install.systemNamespace
    }

    /// The same for kubectl.
    var kubectlFlags: [String] {
        (kubeconfig.map { ["--kubeconfig", $0] } ?? []) + (context.map { ["--context", $0] } ?? [])
    }
}
