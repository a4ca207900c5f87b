/// An AppBinding of the group `appcatalog.appscode.com`, as other operators make them; it can be the target of ours.
public struct AppCatalogBinding: Codable, Sendable, Hashable {
    /// What it says; only what means something to us is read.
    public struct Spec: Codable, Sendable, Hashable {
        /// The application, like `kubedb.com/mongodb`.
        public var type: String?
        /// Its version.
        public var version: String?
        /// How to reach it.
        public var clientConfig: AppBindingSpec.ClientConfig?
        /// Secret with `username` and `password`.
        public var secret: AppBindingSpec.SecretReference?
        /// Secret with client certificate and key.
        public var tlsSecret: AppBindingSpec.SecretReference?
        /// How keys of the secret are to be renamed and filled up.
        public var secretTransforms: [OpaqueValue]?
        /// What only the application understands.
        public var parameters: OpaqueValue?
    }

    /// Group and version.
    public var apiVersion: String
    /// Always `AppBinding`.
    public var kind: String
    /// Name and namespace.
    public var metadata: ResourceMetadata
    /// What it says.
    public var spec: Spec

    /// Its group and version.
    public static let apiVersion = "appcatalog.appscode.com/v1alpha1"

    /// The same target as an object of ours, and a sentence for everything that does nothing here.
    ///
    /// Whether it is good, ``Resource/problems()`` of the result tells: a type that can be no engine's name, for one.
    public func appBinding() -> (binding: AppBinding, notices: [String]) {
        var target = AppBindingSpec(type: spec.type ?? "", version: spec.version, clientConfig: spec.clientConfig)
        target.secret = spec.secret
        target.tlsSecret = spec.tlsSecret
        target.parameters = spec.parameters
        var notices: [String] = []
        if !(spec.secretTransforms ?? []).isEmpty {
            notices.append("spec.secretTransforms is unused: the secret needs the keys username and password")
        }
        return (AppBinding(metadata: metadata, spec: target), notices)
    }
}
