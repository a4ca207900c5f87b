/// Which certificate authorities are trusted.
public enum StorageTrust: Sendable {
    /// Those of the system.
    case system
    /// Those of the system and those in this PEM text.
    case systemAnd(pem: [UInt8])
    /// Only those in this PEM file.
    case file(String)
    /// Only those in this PEM text.
    case pem([UInt8])
}

/// Where an S3 store is and how to talk to it.
public struct S3Configuration: Sendable {
    /// `https://host:port` or `http://host:port`, perhaps with a path before the bucket.
    public var endpoint: String
    /// The bucket; it must exist.
    public var bucket: String
    /// Where in the bucket the objects begin; slashes at its ends don't matter, empty means at its root.
    public var prefix: String
    /// The region that requests are signed for; many own stores take any.
    public var region: String
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    public var pathStyle: Bool
    /// The access key's name.
    public var accessKeyID: String
    /// The access key's secret.
    public var secretAccessKey: String
    /// The token of temporary credentials.
    public var sessionToken: String?
    /// Which certificate authorities are trusted.
    public var trust: StorageTrust
    /// Accept any certificate: only for people who asked for it.
    public var insecureTLS: Bool
    /// Objects larger than this go up in parts.
    public var multipartThreshold: Int
    /// The size of a part; S3 wants at least 5 MiB, and at most 10 000 parts.
    public var partSize: Int
    /// Parts of one object on their way at once.
    public var partConcurrency: Int
    /// Send `x-amz-checksum-sha256` with uploads, by which stores verify and remember what they got.
    ///
    /// A store that refuses the field once isn't sent it again. The field that every store knows, the signed
    /// `x-amz-content-sha256`, is sent in any case.
    public var sendsChecksum: Bool
    /// The longest one request may take.
    public var requestTimeout: Duration
    /// The longest that nothing may move on a connection.
    public var idleTimeout: Duration
    /// How long connecting may take.
    public var connectTimeout: Duration
    /// The longest object that is read whole.
    public var maxObjectBytes: Int

    /// Makes a configuration; the defaults suit packs of 16 MiB.
    public init(
        endpoint: String,
        bucket: String,
        prefix: String = "",
        region: String = "us-east-1",
        pathStyle: Bool = true,
        accessKeyID: String,
        secretAccessKey: String,
        sessionToken: String? = nil,
        trust: StorageTrust = .system,
        insecureTLS: Bool = false,
        multipartThreshold: Int = 64 << 20,
        partSize: Int = 16 << 20,
        partConcurrency: Int = 3,
        sendsChecksum: Bool = true,
        requestTimeout: Duration = .seconds(1800),
        idleTimeout: Duration = .seconds(60),
        connectTimeout: Duration = .seconds(10),
        maxObjectBytes: Int = 1 << 30
    ) {
        self.endpoint = endpoint
        self.bucket = bucket
        self.prefix = prefix
        self.region = region
        self.pathStyle = pathStyle
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.trust = trust
        self.insecureTLS = insecureTLS
        self.multipartThreshold = multipartThreshold
        self.partSize = partSize
        self.partConcurrency = partConcurrency
        self.sendsChecksum = sendsChecksum
        self.requestTimeout = requestTimeout
        self.idleTimeout = idleTimeout
        self.connectTimeout = connectTimeout
        self.maxObjectBytes = maxObjectBytes
    }
}

extension S3Configuration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The place without the secrets.
    public var description: String { "s3:\(endpoint)/\(bucket)/\(prefix)" }
    /// The place without the secrets.
    public var debugDescription: String { description }
    /// Nothing: a dump must not show the secrets.
    public var customMirror: Mirror { Mirror(self, children: [("location", description)]) }
}
