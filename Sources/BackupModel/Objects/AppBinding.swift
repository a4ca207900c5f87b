/// One database deployment to protect (kind `AppBinding`).
public typealias AppBinding = Resource<AppBindingSpec>

/// What an `AppBinding` says (field names of `appcatalog.appscode.com`).
///
/// With agents beside the members nobody connects by it: it names the target, its engine and, in cluster mode, the
/// label of its pods. Agents belong to it by their `cluster`.
public struct AppBindingSpec: ResourceSpec {
    /// How to reach a target.
    public struct ClientConfig: Codable, Sendable, Hashable {
        /// A service in the cluster.
        public struct Service: Codable, Sendable, Hashable {
            /// Like `mongodb`.
            public var scheme: String?
            /// Namespace; absent: that of the AppBinding.
            public var namespace: String?
            /// Name.
            public var name: String
            /// Port.
            public var port: Int?
            /// Path.
            public var path: String?
            /// Query.
            public var query: String?
        }
        /// A URL without credentials.
        public var url: String?
        /// Or a service.
        public var service: Service?
        /// Accept any certificate.
        public var insecureSkipTLSVerify: Bool?
        /// Certificates to trust, base64 of PEM.
        public var caBundle: String?
        /// Name to expect in the certificate.
        public var serverName: String?

        /// Makes one.
        public init(url: String? = nil, service: Service? = nil) {
            self.url = url
            self.service = service
        }
    }

    /// A secret by name.
    public struct SecretReference: Codable, Sendable, Hashable {
        /// Name, in the AppBinding's namespace.
        public var name: String

        /// Makes one.
        public init(name: String) { self.name = name }
    }

    /// Engine: `mongodb`, or your own word for a database that a `Task` and a `Function` describe.
    public var type: String
    /// Version, for people.
    public var version: String?
    /// How to reach it.
    public var clientConfig: ClientConfig?
    /// Secret with `username` and `password`.
    public var secret: SecretReference?
    /// Secret with client certificate and key.
    public var tlsSecret: SecretReference?
    /// What only the engine understands.
    public var parameters: OpaqueValue?

    /// Makes a spec.
    public init(type: String, version: String? = nil, clientConfig: ClientConfig? = nil) {
        self.type = type
        self.version = version
        self.clientConfig = clientConfig
    }

    /// `AppBinding`.
    public static let kind = "AppBinding"

    /// What is wrong with it by itself.
    public func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        if let reason = Self.reasonAgainst(engine: engine) { found.append(FieldProblem("type", reason)) }
        if let config = clientConfig, config.url != nil, config.service != nil {
            found.append(FieldProblem("clientConfig", "has both url and service; only one of them may be given"))
        }
        if let url = clientConfig?.url, url.contains("@") {
            found.append(
                FieldProblem("clientConfig.url", "must not hold credentials; they belong into spec.secret")
            )
        }
        return found
    }

    /// Why a text can't be an engine's name, or nil when it can: it is part of names elsewhere.
    public static func reasonAgainst(engine: String) -> String? {
        if !engine.utf8.contains(UInt8(ascii: ".")), ResourceName.reasonAgainst(engine, maximumBytes: 63) == nil {
            return nil
        }
        return
            "is '\(engine)'; an engine's name has lower-case letters, digits and '-', at most 63, beginning and ending "
            + "with a letter or digit, like mongodb or mysql"
    }

    /// The engine's name: the type without a group in front of it (`kubedb.com/mongodb` is `mongodb`).
    public var engine: String { type.split(separator: "/").last.map(String.init) ?? type }
}

/// What was observed of an `AppBinding`.
public struct AppBindingStatus: Codable, Sendable, Hashable {
    /// The generation of the spec that this is about.
    public var observedGeneration: Int64?
    /// `Ready` and what stands behind it.
    public var conditions: [Condition]

    /// Makes a status.
    public init(conditions: [Condition] = []) { self.conditions = conditions }
}

extension AppBindingSpec {
    /// What was observed.
    public typealias Status = AppBindingStatus
}

/// Which target: a reference to its `AppBinding`.
public struct TargetReference: Codable, Sendable, Hashable {
    /// The AppBinding.
    public struct Ref: Codable, Sendable, Hashable {
        /// Absent: `remora.dev/v1alpha1`.
        public var apiVersion: String?
        /// Absent: `AppBinding`, the only one.
        public var kind: String?
        /// Name.
        public var name: String
        /// Namespace; must be that of the object that refers.
        public var namespace: String?

        /// Makes one.
        public init(name: String) { self.name = name }
    }

    /// The AppBinding.
    public var ref: Ref
    /// For restores: what to take.
    public var rules: [RestoreRule]?

    /// Makes a reference.
    public init(name: String, rules: [RestoreRule]? = nil) {
        self.ref = Ref(name: name)
        self.rules = rules
    }

    func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        if let kind = ref.kind, kind != AppBindingSpec.kind {
            found.append(FieldProblem("ref.kind", "is '\(kind)'; allowed: \(AppBindingSpec.kind)"))
        }
        let known = [ResourceGroup.apiVersion, AppCatalogBinding.apiVersion]
        if let apiVersion = ref.apiVersion, !known.contains(apiVersion) {
            found.append(
                FieldProblem("ref.apiVersion", "is '\(apiVersion)'; allowed: \(known.joined(separator: ", "))")
            )
        }
        if let reason = ResourceName.reasonAgainst(ref.name) { found.append(FieldProblem("ref.name", reason)) }
        return found
    }
}

/// Which snapshots a restore takes (Stash's rules; only `snapshots` means anything to a database).
public struct RestoreRule: Codable, Sendable, Hashable {
    /// Snapshot ids, or `latest`.
    public var snapshots: [String]?

    /// Makes a rule.
    public init(snapshots: [String]? = nil) { self.snapshots = snapshots }
}
