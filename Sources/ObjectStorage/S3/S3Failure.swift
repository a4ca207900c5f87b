import HTTPClient

/// An error answer of an S3 store, and what it means to us.
struct S3Failure: Sendable {
    /// The HTTP status.
    var status: Int
    /// S3's own name of the error; empty where there is no body (answers to HEAD) or another kind of body.
    var code: String
    /// The store's sentence.
    var message: String
    /// The region that the store says the bucket is in.
    var region: String?

    init(_ response: HTTPResponse) {
        status = response.status
        // Proxies and load balancers answer with pages of their own: then the status has to do.
        let error = try? XMLNode.parse(response.body)
        let node = error?.name == "Error" ? error : nil
        code = node?["Code"] ?? ""
        message = Self.shortened(node?["Message"] ?? "")
        region = response.headers["x-amz-bucket-region"] ?? node?["Region"]
    }

    private static func shortened(_ text: String) -> String {
        String(text.unicodeScalars.filter { $0.value >= 0x20 }.map(Character.init).prefix(300))
    }

    /// What a class of failures means: our code, whether trying again helps, and what a person can do.
    private struct Meaning {
        var code: ObjectStorageError.Code
        var isTransient = false
        var hint: String
    }

    /// S3's error names (Amazon S3 API reference, "Error responses") by what they mean.
    private static let meanings: [(names: Set<String>, meaning: Meaning)] = [
        (["NoSuchBucket"], Meaning(code: .notFound, hint: "make the bucket, or correct its name or the endpoint")),
        (["NoSuchKey"], Meaning(code: .notFound, hint: "")),
        (["NoSuchUpload"], Meaning(code: .unavailable, isTransient: true, hint: "the unfinished upload is gone")),
        (["PreconditionFailed"], Meaning(code: .alreadyExists, hint: "")),
        (
            ["ConditionalRequestConflict", "OperationAborted"],
            Meaning(code: .unavailable, isTransient: true, hint: "another writer was at it at the same time")
        ),
        (
            ["AccessDenied", "AllAccessDisabled", "AccountProblem", "MethodNotAllowed"],
            Meaning(code: .accessDenied, hint: "give this access key the right to do that in this bucket and prefix")
        ),
        (
            ["InvalidAccessKeyId", "InvalidSecurity", "NotSignedUp"],
            Meaning(code: .accessDenied, hint: "the store doesn't know this access key: check AWS_ACCESS_KEY_ID")
        ),
        (
            ["SignatureDoesNotMatch"],
            Meaning(
                code: .accessDenied,
                hint:
                    "the secret doesn't belong to the access key: check AWS_SECRET_ACCESS_KEY, and proxies that change requests"
            )
        ),
        (
            ["ExpiredToken", "InvalidToken", "TokenRefreshRequired"],
            Meaning(code: .accessDenied, hint: "the temporary credentials have run out: renew AWS_SESSION_TOKEN")
        ),
        (
            ["RequestTimeTooSkewed", "RequestExpired"],
            Meaning(code: .accessDenied, hint: "this machine's clock and the store's differ too much: set them right")
        ),
        (
            [
                "AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect",
                "IllegalLocationConstraintException",
            ],
            Meaning(code: .invalidConfiguration, hint: "check the region and the endpoint of the bucket")
        ),
        (
            ["InvalidBucketName", "InvalidURI", "KeyTooLongError"],
            Meaning(code: .invalidConfiguration, hint: "check the names of bucket and prefix")
        ),
        (
            [
                "SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "Throttling", "ThrottlingException",
                "RequestLimitExceeded", "TooManyRequests", "BandwidthLimitExceeded",
            ],
            Meaning(code: .unavailable, isTransient: true, hint: "the store asks us to go slower")
        ),
        (
            ["InternalError", "RequestTimeout", "XMinioServerNotInitialized", "BadGateway", "IncompleteBody"],
            Meaning(code: .unavailable, isTransient: true, hint: "look at the store's own log if it goes on")
        ),
        (
            ["BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "XAmzContentChecksumMismatch"],
            Meaning(
                code: .corrupt,
                isTransient: true,
                hint: "the bytes changed on their way: look at the network and this machine's memory if it goes on"
            )
        ),
        (
            [
                "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity",
                "StorageFull", "EntityTooLarge",
            ],
            Meaning(code: .noSpace, hint: "free space in the store or raise the quota")
        ),
        (["InvalidRange"], Meaning(code: .corrupt, hint: "the object is shorter than it should be")),
    ]

    private var meaning: Meaning {
        if !code.isEmpty, let known = Self.meanings.first(where: { $0.names.contains(code) }) { return known.meaning }
        switch status {
        case 301, 302, 307, 308:
            return Meaning(code: .invalidConfiguration, hint: "check the region and the endpoint of the bucket")
        case 401, 403: return Meaning(code: .accessDenied, hint: "check the access key, its rights and the clock")
        case 404: return Meaning(code: .notFound, hint: "")
        case 412: return Meaning(code: .alreadyExists, hint: "")
        case 416: return Meaning(code: .corrupt, hint: "the object is shorter than it should be")
        case 507: return Meaning(code: .noSpace, hint: "free space in the store or raise the quota")
        case 408, 425, 429, 500, 502, 503, 504, 520...529:
            return Meaning(
                code: .unavailable,
                isTransient: true,
                hint: "look at the store or the proxy before it if it goes on"
            )
        default: return Meaning(code: .unexpected, hint: "check that this endpoint is an S3 store")
        }
    }

    /// The error to throw; `attempt` says what was attempted on what, such as "cannot write object 'config' in s3:https://…".
    func error(_ attempt: String) -> ObjectStorageError {
        let meaning = meaning
        var text = "\(attempt): the store answered \(status)"
        if !code.isEmpty { text += " \(code)" }
        if !message.isEmpty { text += " (\(message))" }
        if meaning.code == .invalidConfiguration, let region { text += ", and that the bucket is in region \(region)" }
        if !meaning.hint.isEmpty { text += "; \(meaning.hint)" }
        return ObjectStorageError(meaning.code, text, isTransient: meaning.isTransient)
    }

    /// Whether the store refuses a field of ours that it doesn't know.
    var isRefusalOfField: Bool {
        status == 501 || ["NotImplemented", "InvalidArgument", "InvalidRequest"].contains(code)
    }

    /// Whether the store wants the request signed for `region` instead.
    var isWrongRegion: Bool {
        guard let region, !region.isEmpty else { return false }
        return ["AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect"].contains(code)
            || [301, 307].contains(status) || status == 400 && code.isEmpty
    }
}
