/// Where backups go: a storage place and the secret that opens it (kind `Repository`).
public typealias RepositoryObject = Resource<RepositorySpec>

/// What a `Repository` wants (Stash's field names).
public struct RepositorySpec: ResourceSpec {
    /// The place and its secret.
    public var backend: StorageBackend
    /// Who else may use it; absent: only the same namespace.
    public var usagePolicy: UsagePolicy?
    /// Stash's field; only false: backups are never deleted with their Repository.
    public var wipeOut: Bool?

    /// Makes a spec.
    public init(backend: StorageBackend, usagePolicy: UsagePolicy? = nil) {
        self.backend = backend
        self.usagePolicy = usagePolicy
    }

    /// `Repository`.
    public static let kind = "Repository"

    /// What is wrong with it by itself.
    public func problems() -> [FieldProblem] {
        var found = backend.problems().map { FieldProblem("backend." + $0.path, $0.message) }
        found += (usagePolicy?.problems() ?? []).map { FieldProblem("usagePolicy." + $0.path, $0.message) }
        if wipeOut == true {
            found.append(
                FieldProblem("wipeOut", "must not be true: backups are never deleted with their Repository")
            )
        }
        return found
    }

    /// Whether objects of a namespace may use a repository that lives in `own`.
    ///
    /// - Parameters:
    ///   - namespace: the namespace of the object that refers to the repository.
    ///   - own: the repository's namespace.
    ///   - labels: the labels of `namespace`; nil where namespaces have none (embedded mode): then no selector selects it.
    /// - Returns: true for the repository's own namespace, and for those that its usage policy allows.
    public func mayBeUsed(from namespace: String, own: String, labels: [String: String]? = nil) -> Bool {
        if namespace == own { return true }
        guard let allowed = usagePolicy?.allowedNamespaces else { return false }
        switch allowed.from {
        case .all: return true
        case .selector:
            guard let labels, let selector = allowed.selector else { return false }
            return selector.matches(labels)
        case .same, nil: return false
        }
    }
}

/// A storage place: exactly one of `local` and `s3`.
public struct StorageBackend: Codable, Sendable, Hashable {
    /// A directory that coordinator and agents all see.
    public struct Local: Codable, Sendable, Hashable {
        /// Absolute path of the directory.
        public var mountPath: String
        /// A path below it.
        public var subPath: String?

        /// Makes one.
        public init(mountPath: String, subPath: String? = nil) {
            self.mountPath = mountPath
            self.subPath = subPath
        }
    }

    /// A bucket of Amazon S3, or of anything that speaks its protocol.
    public struct S3: Codable, Sendable, Hashable {
        /// Host or URL; `https://` is meant when no scheme is given.
        ///
        /// Absent: Amazon's of the region.
        public var endpoint: String?
        /// The bucket.
        public var bucket: String
        /// Beginning of all keys.
        public var prefix: String?
        /// Region; absent: `us-east-1`.
        public var region: String?
        /// Accept any certificate: for tests only.
        public var insecureTLS: Bool?
        /// Seconds from 1 to 86 400 for which a call that fails is tried again before its job fails.
        ///
        /// Absent: 20 tries, which take some minutes.
        public var retrySeconds: Int?

        /// Makes one.
        public init(
            endpoint: String? = nil,
            bucket: String,
            prefix: String? = nil,
            region: String? = nil,
            insecureTLS: Bool? = nil,
            retrySeconds: Int? = nil
        ) {
            self.endpoint = endpoint
            self.bucket = bucket
            self.prefix = prefix
            self.region = region
            self.insecureTLS = insecureTLS
            self.retrySeconds = retrySeconds
        }
    }

    /// A directory.
    public var local: Local?
    /// A bucket.
    public var s3: S3?
    /// Secret with `RESTIC_PASSWORD` and, for a bucket, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `CA_CERT_DATA`.
    public var storageSecretName: String

    /// Makes a back end.
    public init(local: Local? = nil, s3: S3? = nil, storageSecretName: String) {
        self.local = local
        self.s3 = s3
        self.storageSecretName = storageSecretName
    }

    /// The place as a URL in restic's form, without secrets: `/path`, `s3:https://host/bucket/prefix`.
    ///
    /// Options follow a `?`, as `StorageLocation` reads them.
    public var url: String { url(below: "") }

    /// The URL of something below the place, like a group's repository.
    public func url(below path: String) -> String {
        if let local {
            return Self.joined([Self.trimmedEnd(local.mountPath), Self.trimmed(local.subPath ?? ""), path])
        }
        guard let s3 else { return "" }
        var endpoint = s3.endpoint ?? "https://s3.\(s3.region ?? "us-east-1").amazonaws.com"
        if !endpoint.hasPrefix("https://"), !endpoint.hasPrefix("http://") { endpoint = "https://" + endpoint }
        let place = Self.joined([Self.trimmedEnd(endpoint), s3.bucket, Self.trimmed(s3.prefix ?? ""), path])
        var options: [String] = []
        if let region = s3.region { options.append("region=\(region)") }
        if s3.insecureTLS == true { options.append("insecure-tls=true") }
        if let seconds = s3.retrySeconds { options.append("retry-seconds=\(seconds)") }
        return "s3:" + place + (options.isEmpty ? "" : "?" + options.joined(separator: "&"))
    }

    func problems() -> [FieldProblem] {
        var found: [FieldProblem] = []
        if (local == nil) == (s3 == nil) {
            found.append(FieldProblem("local", "and s3: exactly one of them must be given"))
        }
        if let local {
            if !local.mountPath.hasPrefix("/") {
                found.append(
                    FieldProblem("local.mountPath", "must be an absolute path, not '\(local.mountPath)'")
                )
            }
            if Self.hasDots(local.mountPath) {
                found.append(FieldProblem("local.mountPath", "must not hold '..'"))
            }
            if let subPath = local.subPath, Self.hasDots(subPath) {
                found.append(FieldProblem("local.subPath", "must not hold '..'"))
            }
        }
        if let s3 {
            if s3.bucket.isEmpty || s3.bucket.contains("/") {
                found.append(FieldProblem("s3.bucket", "must be a bucket's name without '/'"))
            }
            if let prefix = s3.prefix, Self.hasDots(prefix) {
                found.append(FieldProblem("s3.prefix", "must not hold '..'"))
            }
            if let region = s3.region, ResourceName.reasonAgainst(region) != nil {
                found.append(FieldProblem("s3.region", "is '\(region)'; a region looks like eu-central-1"))
            }
            if let seconds = s3.retrySeconds, !(1...86_400).contains(seconds) {
                found.append(FieldProblem("s3.retrySeconds", "is \(seconds); allowed: 1 to 86400"))
            }
            if let endpoint = s3.endpoint, endpoint.contains("?") {
                found.append(FieldProblem("s3.endpoint", "must be a host or URL without options"))
            }
            if let endpoint = s3.endpoint, endpoint.contains("@") {
                found.append(
                    FieldProblem("s3.endpoint", "must not hold credentials; they belong into the storage secret")
                )
            }
        }
        if let reason = ResourceName.reasonAgainst(storageSecretName) {
            found.append(FieldProblem("storageSecretName", reason))
        }
        return found
    }

    private static func hasDots(_ path: String) -> Bool { path.split(separator: "/").contains("..") }
    private static func joined(_ parts: [String]) -> String {
        parts.filter { !$0.isEmpty }.joined(separator: "/")
    }
    private static func trimmed(_ text: String) -> String {
        text.split(separator: "/").joined(separator: "/")
    }
    private static func trimmedEnd(_ text: String) -> String {
        var text = text
        while text.hasSuffix("/") { text.removeLast() }
        return text
    }
}
