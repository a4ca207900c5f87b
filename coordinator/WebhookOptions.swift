import ArgumentParser
import Coordinator
import Foundation
import Injector

/// Options of the admission webhook; without `--webhook-listen` there is none.
struct WebhookOptions: ParsableArguments {
    @Option(
        name: .customLong("webhook-listen"),
        help:
            "HOST:PORT, or :PORT for all addresses, on which the API server's questions about pods are answered. (default: not at all)"
    )
    var listen: String?

    @Option(name: .customLong("webhook-service"), help: "Service by which the API server reaches the webhook.")
    var service = "remora-webhook"

    @Option(name: .customLong("agents-service"), help: "Service by which agents reach the coordinator.")
    var agentsService = "remora-agents"

    @Option(
        name: .customLong("agents-url"),
        help: "URL by which agents reach the coordinator. (default: https://AGENTS-SERVICE.NAMESPACE.svc)"
    )
    var agentsURL: String?

    @Option(
        name: .customLong("agent-image"),
        help: "Image that is put beside databases, best by digest. REMORA_AGENT_IMAGE"
    )
    var image: String?

    @Option(name: .customLong("agent-token-audience"), help: "For whom agents' tokens are made.")
    var audience = "remora.dev"

    @Option(
        name: .customLong("agent-authority-configmap"),
        help: "ConfigMap of each namespace whose ca.crt agents trust."
    )
    var authorityConfigMap = "remora-ca"

    @Flag(
        name: .customLong("plain-sidecars"),
        help: "Agents are plain containers: for clusters below Kubernetes 1.29."
    )
    var plainSidecars = false

    @Flag(
        name: .customLong("platform-assigns-users"),
        help: "No user is set for agents, because the platform gives each namespace its own (OpenShift)."
    )
    var platformAssignsUsers = false

    @Flag(name: .customLong("allow-root-agents"), help: "Agents may run as root where the database does.")
    var allowsRoot = false

    @Flag(
        name: .customLong("strict-annotations"),
        help: "Refuse pods whose annotations are wrong; otherwise they start without an agent."
    )
    var isStrict = false

    func validate() throws {
        guard let listen else { return }
        guard ListenAddress(listen) != nil else {
            throw ValidationError(
                "--webhook-listen is '\(listen)'; it looks like :9443 for all addresses, 0.0.0.0:9443 or [::]:9443"
            )
        }
        guard agentImage != nil else {
            throw ValidationError(
                "--webhook-listen needs --agent-image (or REMORA_AGENT_IMAGE), which is put into pods"
            )
        }
        guard agentsURL?.hasPrefix("https://") ?? true else {
            throw ValidationError("--agents-url must begin with https://, because agents send their tokens to it")
        }
    }

    private var agentImage: String? {
        let image = image ?? ProcessInfo.processInfo.environment["REMORA_AGENT_IMAGE"]
        return image?.isEmpty == false ? image : nil
    }

    /// What was asked for; nil without `--webhook-listen`.
    ///
    /// - Parameters:
    ///   - namespace: the coordinator's own.
    ///   - certificates: where the webhook's certificate comes from.
    ///   - version: the coordinator's.
    /// - Returns: the configuration.
    func configuration(
        namespace: String,
        certificates: CertificateKeeper.Source,
        version: String
    ) -> WebhookConfiguration? {
        guard let listen, let address = ListenAddress(listen), let agentImage else { return nil }
        var settings = InjectorSettings(
            image: agentImage,
            coordinatorURL: agentsURL ?? "https://\(agentsService).\(namespace).svc",
            version: version
        )
        settings.audience = audience
        settings.authorityConfigMap = authorityConfigMap.isEmpty ? nil : authorityConfigMap
        settings.supportsNativeSidecars = !plainSidecars
        settings.assignsUsers = platformAssignsUsers
        settings.allowsRoot = allowsRoot
        settings.isStrict = isStrict
        settings.excludedNamespaces.insert(namespace)
        return WebhookConfiguration(
            listen: address,
            injector: settings,
            certificates: certificates,
            names: WebhookConfiguration.names(ofServices: [service, agentsService], in: namespace)
        )
    }
}
