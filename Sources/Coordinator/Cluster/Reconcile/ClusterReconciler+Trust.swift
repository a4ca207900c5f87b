import BackupModel
import Kubernetes
import Logging
import Synchronization

/// What the API server and agents are to trust.
protocol TrustSource: Sendable {
    /// Certificates of the authorities, as PEM; nil while there are none.
    var bundle: String? { get }
    /// Whether the webhook's configuration is to be told by us, and not by somebody who renews certificates.
    var isToldByUs: Bool { get }
    /// Fingerprint of the authority that signs; nil when nobody says.
    var authority: String? { get }
    /// Everybody who is to trust a bundle has been given it by now.
    ///
    /// - Parameters:
    ///   - bundle: what was given.
    ///   - trustedByAgents: fingerprints of authorities that every agent has said to trust.
    func published(_ bundle: String, trustedByAgents: Set<String>)
}

/// The certificates of the webhook's server.
struct CertificateTrust: TrustSource {
    let keeper: CertificateKeeper
    let isOurs: Bool

    var bundle: String? {
        let bundle = keeper.bundle
        return bundle.isEmpty ? nil : bundle
    }
    var isToldByUs: Bool { isOurs }

    var authority: String? { keeper.authority }

    func published(_ bundle: String, trustedByAgents: Set<String>) {
        guard keeper.bundle == bundle else { return }
        keeper.observed(published: Set(keeper.fingerprints), trustedByAgents: trustedByAgents)
    }
}

/// No certificates of our own: agents trust what they are told otherwise.
struct NoTrust: TrustSource {
    var bundle: String? { nil }
    var isToldByUs: Bool { false }
    var authority: String? { nil }
    func published(_ bundle: String, trustedByAgents: Set<String>) {}
}

// Trust in our certificates: of the API server by the webhook's configuration, of agents by a ConfigMap beside them.
//
// New authorities are spread before they sign anything: ``AuthorityRotation`` waits until everybody has them.
extension ClusterReconciler {
    private static let webhookName = "pods.inject.remora.dev"

    /// Spreads a new bundle, and tells when everybody has it.
    func watchTrust() async {
        guard let bundle = trust.bundle else { return }
        let authority = trust.authority
        let agents = Set(caches.allPods.filter { $0.isInjected && !$0.isBeingDeleted }.map(\.uid))
        let trusted = await conductor.perform { conductor in
            conductor.authority = authority
            return conductor.authoritiesTrusted(byAll: agents)
        }
        let isNew = state.withLock { state in
            defer { state.bundle = bundle }
            return state.bundle != bundle
        }
        let namespaces = trustingNamespaces
        if isNew {
            queue.add(.webhook)
            for namespace in namespaces { queue.add(.trust(namespace)) }
        }
        let isEverywhere = state.withLock { state in
            (!trust.isToldByUs || state.published == bundle) && namespaces.allSatisfy { state.trusted[$0] == bundle }
        }
        if isEverywhere { trust.published(bundle, trustedByAgents: trusted) }
    }

    /// Namespaces with pods of ours; and our own, where people's programs look.
    private var trustingNamespaces: Set<String> {
        Set(caches.allPods.map(\.key.namespace) + [namespace]).filter(caches.namespaces.isAlive)
    }

    /// Writes everywhere again what agents trust: somebody may have changed or deleted it.
    func renewTrust() {
        state.withLock { $0.trusted = [:] }
        for namespace in trustingNamespaces { queue.add(.trust(namespace)) }
    }

    /// Puts the certificates that agents trust into a namespace that has pods of ours.
    func reconcileTrust(_ namespace: String) async throws {
        guard let bundle = trust.bundle, trustingNamespaces.contains(namespace),
            state.withLock({ $0.trusted[namespace] }) != bundle
        else { return }
        var map = KubernetesObject(.configMaps, name: ClusterNames.trust, namespace: namespace)
        map.labels = [ClusterNames.managedBy: ClusterNames.fieldManager]
        map["data"] = ["ca.crt": .string(bundle)]
        try await client.apply(map, of: .configMaps, fieldManager: ClusterNames.fieldManager)
        state.withLock { $0.trusted[namespace] = bundle }
    }

    /// Tells the API server what to trust when it asks our webhook.
    func reconcileWebhook() async throws {
        guard let bundle = trust.bundle, trust.isToldByUs else { return }
        let text = SecretText.text(Array(bundle.utf8))
        do {
            let present = try await client.get(.mutatingWebhookConfigurations, name: ClusterNames.webhook)
            let entry = present["webhooks"]?.array?.first { $0["name"]?.string == Self.webhookName }
            if entry?[path: "clientConfig", "caBundle"]?.string != text {
                var object = KubernetesObject(.mutatingWebhookConfigurations, name: ClusterNames.webhook)
                object["webhooks"] = [["name": .string(Self.webhookName), "clientConfig": ["caBundle": .string(text)]]]
                try await client.apply(
                    object,
                    of: .mutatingWebhookConfigurations,
                    fieldManager: ClusterNames.fieldManager
                )
                logger.notice("the API server was told which certificates the webhook has")
            }
            state.withLock { $0.published = bundle }
        } catch {
            guard error.isNotFound else { throw error }
            // Not installed, or taken away before the coordinator, as it should be: then nobody is asked.
            logger.debug("there is no MutatingWebhookConfiguration \(ClusterNames.webhook)")
            state.withLock { $0.published = bundle }
        }
    }
}
