/// Where a repository is, as people write it.
///
/// - `/path`, `./path`, `file:///path`, `local:/path`: a directory;
/// - `s3:https://host:port/bucket/prefix`, `s3:host/bucket/prefix`, `s3://host/bucket/prefix`: restic's forms;
/// - `s3://bucket/prefix`: a bucket at Amazon. What follows `s3://` is taken for a host when it has a port, is
///   `localhost` or ends with `.amazonaws.com`.
///
/// S3 forms may end with options: `?region=eu-west-1&addressing=path&endpoint=https://host&insecure-tls=true`, where
/// `addressing` is `path` or `virtual-host` and `endpoint` goes with `s3://bucket/prefix`; `retry-seconds=60` says for how
/// long a call that fails is tried again.
public struct StorageLocation: Sendable, Hashable {
    /// The kinds of stores.
    public enum Kind: Sendable, Hashable {
        /// A directory of this machine.
        case directory(path: String)
        /// A bucket.
        case s3(S3Location)
    }

    /// A bucket and how to reach it.
    public struct S3Location: Sendable, Hashable {
        /// `https://host:port` or `http://host:port`; nil: Amazon's for the region.
        public var endpoint: String?
        /// The bucket.
        public var bucket: String
        /// Where in the bucket; empty: at its root.
        public var prefix: String
        /// The region; nil: from the endpoint's name or the credentials, else `us-east-1`.
        public var region: String?
        /// Path style, if not what suits the endpoint.
        public var pathStyle: Bool?
        /// Accept any certificate.
        public var insecureTLS: Bool
        /// Seconds for which calls that fail are tried again; nil: what `open` is told.
        public var retrySeconds: Int?

        /// Makes one from its parts, which are checked when it is opened.
        public init(
            endpoint: String? = nil,
            bucket: String,
            prefix: String = "",
            region: String? = nil,
            pathStyle: Bool? = nil,
            insecureTLS: Bool = false,
            retrySeconds: Int? = nil
        ) {
            self.endpoint = endpoint
            self.bucket = bucket
            self.prefix = prefix
            self.region = region
            self.pathStyle = pathStyle
            self.insecureTLS = insecureTLS
            self.retrySeconds = retrySeconds
        }
    }

    /// What kind of store, and where.
    public var kind: Kind

    /// Makes a location from its parts.
    public init(_ kind: Kind) {
        self.kind = kind
    }

    /// Reads what a person wrote.
    ///
    /// - Throws: `ObjectStorageError` with code `.invalidConfiguration`.
    public init(_ text: String) throws {
        kind = try LocationParser(text).kind()
    }

    /// Opens the store, with retries around it where calls go over a network.
    ///
    /// Nothing is connected or created yet.
    ///
    /// - Parameters:
    ///   - credentials: what opens it; not needed for a directory.
    ///   - policy: how often and how long calls are tried again, for a caller in a hurry; nil: what the location says by
    ///     `retrySeconds`, or else some minutes. A shorter `retrySeconds` wins in any case.
    ///   - onRetry: told before each further try, for the log.
    /// - Returns: the store.
    /// - Throws: `ObjectStorageError` with code `.invalidConfiguration`.
    public func open(
        credentials: StorageCredentials = StorageCredentials([:]),
        policy: RetryPolicy? = nil,
        onRetry: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> any ObjectStore {
        switch kind {
        case .directory(let path):
            let store = try DirectoryStore(path: path)
            return RetryingStore(store, policy: policy ?? RetryPolicy(), onRetry: onRetry)
        case .s3(let s3):
            let store = try S3Store(try s3.configuration(credentials, location: description))
            return RetryingStore(store, policy: s3.retryPolicy(within: policy), onRetry: onRetry)
        }
    }

    /// A store below this one.
    public func appending(_ path: String) -> StorageLocation {
        func joined(_ base: String) -> String {
            base.isEmpty || base.hasSuffix("/") ? base + path : "\(base)/\(path)"
        }
        switch kind {
        case .directory(let base): return StorageLocation(.directory(path: joined(base)))
        case .s3(var s3):
            s3.prefix = joined(s3.prefix)
            return StorageLocation(.s3(s3))
        }
    }
}

extension StorageLocation: CustomStringConvertible {
    /// The location in restic's form; it holds no secret.
    public var description: String {
        switch kind {
        case .directory(let path): return LocationParser(path).scheme == nil ? path : "local:\(path)"
        case .s3(let s3):
            let place = s3.endpoint.map { "s3:\($0)" } ?? "s3:/"
            return s3.prefix.isEmpty ? "\(place)/\(s3.bucket)" : "\(place)/\(s3.bucket)/\(s3.prefix)"
        }
    }
}

extension StorageLocation.S3Location {
    /// How calls are tried again: as a caller in a hurry wants it, at most as long as the location says.
    func retryPolicy(within wanted: RetryPolicy?) -> RetryPolicy {
        guard let retrySeconds else { return wanted ?? RetryPolicy() }
        // Who gives a time means the time, not a number of tries that is used up before.
        var policy = wanted ?? RetryPolicy(attempts: .max, totalTime: .seconds(retrySeconds))
        policy.totalTime = min(policy.totalTime, .seconds(retrySeconds))
        return policy
    }

    /// All that an S3 store needs.
    ///
    /// - Throws: `ObjectStorageError` with code `.invalidConfiguration`, naming what is missing.
    func configuration(_ credentials: StorageCredentials, location: String) throws -> S3Configuration {
        guard let accessKeyID = credentials["AWS_ACCESS_KEY_ID"], let secret = credentials["AWS_SECRET_ACCESS_KEY"]
        else {
            let missing = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].filter { credentials[$0] == nil }
            throw ObjectStorageError(
                .invalidConfiguration,
                "cannot open \(location): \(missing.joined(separator: " and ")) missing; put them into the storage secret or the environment"
            )
        }
        let region =
            region ?? endpoint.flatMap(Self.region(ofEndpoint:)) ?? credentials["AWS_REGION"]
            ?? credentials["AWS_DEFAULT_REGION"] ?? "us-east-1"
        var endpoint = endpoint ?? "https://s3.\(region).amazonaws.com"
        // Amazon's name without a region leads to us-east-1, and from there only by redirects to the others.
        if endpoint == "https://s3.amazonaws.com" { endpoint = "https://s3.\(region).amazonaws.com" }
        let isAmazon = endpoint.hasSuffix(".amazonaws.com") || endpoint.hasSuffix(".amazonaws.com.cn")
        return S3Configuration(
            endpoint: endpoint,
            bucket: bucket,
            prefix: prefix,
            region: region,
            // Amazon's certificate has one star, which no dot in a bucket's name may lengthen.
            pathStyle: pathStyle ?? (!isAmazon || bucket.utf8.contains(UInt8(ascii: "."))),
            accessKeyID: accessKeyID,
            secretAccessKey: secret,
            sessionToken: credentials["AWS_SESSION_TOKEN"],
            trust: try credentials.trust(for: location),
            insecureTLS: insecureTLS
        )
    }

    /// The region in a name such as `s3.eu-west-1.amazonaws.com`.
    static func region(ofEndpoint endpoint: String) -> String? {
        let host = endpoint.split(separator: "/").dropFirst().first?.split(separator: ":").first ?? ""
        var parts = host.split(separator: ".")
        if parts.last == "cn" { parts.removeLast() }
        guard parts.suffix(2) == ["amazonaws", "com"] else { return nil }
        parts.removeLast(2)
        if parts.first?.hasPrefix("s3-") == true, parts.count == 1 {
            return parts.first.map { String($0.dropFirst(3)) }
        }
        guard parts.count > 1, parts.first == "s3" else { return nil }
        return parts.last.map(String.init)
    }
}
