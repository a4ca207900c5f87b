public import Injector

/// What a coordinator needs to know to serve the admission webhook.
public struct WebhookConfiguration: Sendable {
    /// Where the API server is answered.
    public var listen: ListenAddress
    /// What is injected.
    public var injector: InjectorSettings
    /// Where its certificate comes from.
    public var certificates: CertificateKeeper.Source
    /// What certificates are good for: the webhook's service first.
    public var names: [String]
    /// What is known of namespaces.
    public var namespaces: any NamespaceFactsSource = NamespaceCache()
    /// How long answers still come after the end was asked for, until nobody sends questions any more.
    public var lingering = Duration.seconds(8)

    /// Makes a configuration.
    public init(
        listen: ListenAddress,
        injector: InjectorSettings,
        certificates: CertificateKeeper.Source,
        names: [String]
    ) {
        self.listen = listen
        self.injector = injector
        self.certificates = certificates
        self.names = names
    }

    /// The names of services in a namespace, as the API server and agents call them.
    public static func names(ofServices services: [String], in namespace: String) -> [String] {
        services.flatMap { ["\($0).\(namespace).svc", "\($0).\(namespace).svc.cluster.local"] }
    }

    /// Everything that a certificate of ours is good for: also the address at which the coordinator asks itself.
    var allNames: [String] {
        var all = names + ["localhost", "127.0.0.1", "::1"]
        let isAddress = listen.host.contains(":") || listen.host.split(separator: ".").allSatisfy { UInt8($0) != nil }
        if isAddress, !["0.0.0.0", "::", "127.0.0.1", "::1"].contains(listen.host) { all.append(listen.host) }
        return all
    }
}
