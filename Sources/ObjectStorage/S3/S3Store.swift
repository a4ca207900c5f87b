import HTTPClient
import Synchronization

/// Objects in a bucket of an S3 store, Amazon's or any other.
///
/// Each upload names the SHA-256 of its bytes in the signed `x-amz-content-sha256`, so a store that checks it can't take
/// altered bytes. Conditional puts are `If-None-Match: *`; because some stores ignore that field, the store is first asked
/// whether the object is there, which leaves only writers of the same moment undecided on such stores (known: rclone,
/// JuiceFS and OpenStack Swift for every put, Ceph before 19 for objects in several parts).
///
/// It doesn't retry: `RetryingStore` does.
public final class S3Store: ObjectStore {
    let configuration: S3Configuration
    let address: S3Address
    private let client: HTTPClient
    private let now: @Sendable () -> Int
    private let learned: Mutex<Learned>

    /// What the store's answers taught us.
    private struct Learned {
        var region: String
        var takesChecksum: Bool
    }

    /// Makes a store; nothing is connected yet.
    ///
    /// - Throws: `ObjectStorageError` with code `.invalidConfiguration`.
    public convenience init(_ configuration: S3Configuration) throws {
        try self.init(configuration, now: SystemTime.secondsSinceEpoch)
    }

    /// Makes a store with a clock of its own, for tests.
    init(_ configuration: S3Configuration, now: @escaping @Sendable () -> Int) throws {
        guard !configuration.accessKeyID.isEmpty, !configuration.secretAccessKey.isEmpty else {
            throw ObjectStorageError(
                .invalidConfiguration,
                "cannot open \(configuration): the access key is missing; give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        }
        guard configuration.partSize >= 1, configuration.partConcurrency >= 1 else {
            throw ObjectStorageError(
                .invalidConfiguration,
                "cannot open \(configuration): part size and concurrency must be at least 1"
            )
        }
        self.configuration = configuration
        self.now = now
        address = try S3Address(configuration)
        learned = Mutex(Learned(region: configuration.region, takesChecksum: configuration.sendsChecksum))
        var http = HTTPClientConfiguration(insecureTLS: configuration.insecureTLS)
        http.trust =
            switch configuration.trust {
            case .system: .system
            case .systemAnd(let pem): .systemAnd(pem: pem)
            case .file(let path): .file(path)
            case .pem(let pem): .pem(pem)
            }
        http.connectTimeout = configuration.connectTimeout
        client = HTTPClient(http)
        let prefix = address.keyPrefix.isEmpty ? "" : "/\(address.keyPrefix.dropLast())"
        location = "s3:\(configuration.endpoint)/\(configuration.bucket)\(prefix)"
    }

    /// Where this is, for people.
    public let location: String

    /// Stores `bytes` under `key`; in parts when there are more than the threshold.
    public func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        try ObjectKey.validate(key)
        let attempt = "cannot write object \(ObjectKey.printable(key)) in \(location)"
        let isKnownAbsent = options.ifAbsent ? try await isAbsent(key) : false
        if bytes.count > configuration.multipartThreshold {
            try await putInParts(key, bytes, ifAbsent: options.ifAbsent, attempt)
            return
        }
        let hash: [UInt8]
        if let known = options.sha256 { hash = known } else { hash = await Digest.sha256OffActor(bytes) }
        var call = S3Call(method: "PUT", key: key, body: bytes, bodyHash: hash)
        call.carriesChecksum = true
        if options.ifAbsent { call.headers.append(("if-none-match", "*")) }
        let response = try await perform(call, attempt)
        if response.status == 501, isKnownAbsent {
            // The store has no conditional put; it said that the object isn't there, and that is all it can do.
            call.headers.removeAll { $0.0 == "if-none-match" }
            let second = try await perform(call, attempt)
            try check(second, key, attempt)
            return
        }
        try check(response, key, attempt)
        try verify(response, hash, attempt)
    }

    /// The object's bytes, or those of `range`.
    public func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] {
        try ObjectKey.validate(key)
        let attempt = "cannot read object \(ObjectKey.printable(key)) in \(location)"
        var call = S3Call(method: "GET", key: key)
        call.maxResponseBytes = configuration.maxObjectBytes
        guard let range else {
            let response = try await perform(call, attempt)
            try check(response, key, attempt)
            return response.body
        }
        guard !range.isEmpty else {
            let size = try await stat(key).size
            guard range.lowerBound >= 0, range.upperBound <= size else {
                throw ObjectStorageError.outside(range, of: key, size: size, in: location)
            }
            return []
        }
        guard range.lowerBound >= 0 else { throw ObjectStorageError.outside(range, of: key, size: nil, in: location) }
        call.headers.append(("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)"))
        let response = try await perform(call, attempt)
        if response.status == 416 { throw ObjectStorageError.outside(range, of: key, size: nil, in: location) }
        try check(response, key, attempt)
        if response.status == 206 {
            guard response.body.count == range.count else {
                let size = range.lowerBound + response.body.count
                throw ObjectStorageError.outside(range, of: key, size: size, in: location)
            }
            return response.body
        }
        // A store may pass over the range and send everything.
        guard range.upperBound <= response.body.count else {
            throw ObjectStorageError.outside(range, of: key, size: response.body.count, in: location)
        }
        return Array(response.body[range])
    }

    /// Size of one object.
    public func stat(_ key: String) async throws -> ObjectInfo {
        try ObjectKey.validate(key)
        let attempt = "cannot look at object \(ObjectKey.printable(key)) in \(location)"
        let response = try await perform(S3Call(method: "HEAD", key: key), attempt)
        try check(response, key, attempt)
        guard let size = response.headers["content-length"].flatMap({ Int($0) }) else {
            throw ObjectStorageError(.unexpected, "\(attempt): the store didn't tell its size; is it an S3 store?")
        }
        return ObjectInfo(key: key, size: size)
    }

    /// Removes an object; succeeds when there is none.
    public func delete(_ key: String) async throws {
        try ObjectKey.validate(key)
        let attempt = "cannot delete object \(ObjectKey.printable(key)) in \(location)"
        let response = try await perform(S3Call(method: "DELETE", key: key), attempt)
        if response.status == 404, S3Failure(response).code != "NoSuchBucket" { return }
        try check(response, key, attempt)
    }

    // MARK: One call

    /// Signs and sends a call; signs it again if the store says that its region is another.
    ///
    /// - Throws: `ObjectStorageError` when there was no response, `CancellationError`.
    func perform(_ call: S3Call, _ attempt: String) async throws -> HTTPResponse {
        let (region, takesChecksum) = learned.withLock { ($0.region, $0.takesChecksum) }
        let response = try await send(
            call,
            region: region,
            withChecksum: takesChecksum && call.carriesChecksum,
            attempt
        )
        guard response.status >= 300 else { return response }
        let failure = S3Failure(response)
        if failure.isWrongRegion, let other = failure.region, other != region {
            let second = try await send(
                call,
                region: other,
                withChecksum: takesChecksum && call.carriesChecksum,
                attempt
            )
            if second.status < 300 || second.status == 404 { learned.withLock { $0.region = other } }
            return second
        }
        if call.carriesChecksum, takesChecksum, failure.isRefusalOfField {
            let second = try await send(call, region: region, withChecksum: false, attempt)
            if second.status < 300 { learned.withLock { $0.takesChecksum = false } }
            return second
        }
        return response
    }

    private func send(
        _ call: S3Call,
        region: String,
        withChecksum: Bool,
        _ attempt: String
    ) async throws -> HTTPResponse {
        try Task.checkCancellation()
        let date = SignatureV4.date(now())
        let payloadHash = Encoding.hex(call.bodyHash)
        var headers = call.headers
        headers += [("host", address.host), ("x-amz-content-sha256", payloadHash), ("x-amz-date", date)]
        if withChecksum { headers += call.checksumHeaders }
        if let token = configuration.sessionToken { headers.append(("x-amz-security-token", token)) }
        let path = address.path(of: call.key)
        let signature = SignatureV4(
            accessKeyID: configuration.accessKeyID,
            secretAccessKey: configuration.secretAccessKey,
            region: region
        )
        let authorization = signature.authorization(
            for: SignatureV4.Request(
                method: call.method,
                path: path,
                query: call.query,
                headers: headers,
                payloadHash: payloadHash
            ),
            date: date
        )
        headers.append(("authorization", authorization))
        let request = HTTPRequest(
            method: call.method,
            url: address.url(path: path, query: call.query),
            headers: headers,
            body: call.body,
            timeout: configuration.requestTimeout,
            idleTimeout: configuration.idleTimeout,
            // Sent twice unseen, a conditional put would be refused because of its own success.
            usesFreshConnection: call.headers.contains { $0.0 == "if-none-match" },
            maxResponseBytes: call.maxResponseBytes
        )
        do {
            return try await client.send(request)
        } catch let error as HTTPClientError {
            throw Self.translate(error, request, attempt)
        }
    }

    private static func translate(_ error: HTTPClientError, _ request: HTTPRequest, _ attempt: String) -> any Error {
        if error.code == .cancelled { return CancellationError() }
        let known = "cannot \(request.summary): "
        let reason = error.message.hasPrefix(known) ? String(error.message.dropFirst(known.count)) : error.message
        let code: ObjectStorageError.Code =
            switch error.code {
            case .invalidURL, .invalidRequest: .invalidConfiguration
            case .tls where !error.isTransient: .invalidConfiguration
            case .tooLarge, .malformedResponse: .unexpected
            default: .unavailable
            }
        return ObjectStorageError(code, "\(attempt): \(reason)", isTransient: error.isTransient)
    }

    // MARK: Judging

    /// Throws unless the response is a success.
    func check(_ response: HTTPResponse, _ key: String, _ attempt: String) throws {
        guard !(200..<300).contains(response.status) else { return }
        let failure = S3Failure(response)
        let error = failure.error(attempt)
        switch error.code {
        case .notFound where failure.code != "NoSuchBucket":
            throw ObjectStorageError.notFound(key, in: location)
        case .alreadyExists: throw ObjectStorageError.alreadyExists(key, in: location)
        default: throw error
        }
    }

    /// Throws when the store says that it got other bytes.
    func verify(_ response: HTTPResponse, _ hash: [UInt8], _ attempt: String) throws {
        guard let stored = response.headers["x-amz-checksum-sha256"], stored != Encoding.base64(hash) else { return }
        throw ObjectStorageError(
            .corrupt,
            "\(attempt): the store got bytes with another SHA-256; look at the network and this machine's memory if it goes on",
            isTransient: true
        )
    }

    /// Whether the object is known not to be there; false also when we may not ask.
    ///
    /// - Throws: `.alreadyExists` when it is there.
    private func isAbsent(_ key: String) async throws -> Bool {
        do {
            _ = try await stat(key)
        } catch let error as ObjectStorageError where error.code == .notFound {
            return true
        } catch let error as ObjectStorageError where error.code == .accessDenied {
            // A key that may write and not read: the put itself decides.
            return false
        }
        throw ObjectStorageError.alreadyExists(key, in: location)
    }
}

/// One call of the S3 API, before it is signed.
struct S3Call: Sendable {
    /// The SHA-256 of nothing.
    private static let emptyHash = Digest.sha256([])

    var method: String
    /// Relative to the store's prefix; empty for a call on the bucket.
    var key: String
    var query: [(String, String)] = []
    var headers: [(String, String)] = []
    var body: [UInt8]
    var bodyHash: [UInt8]
    /// Fields of the checksum feature, left out for stores that refuse them.
    var checksumHeaders: [(String, String)] = []
    /// Whether there are such fields.
    var carriesChecksum: Bool {
        get { !checksumHeaders.isEmpty }
        set { checksumHeaders = newValue ? [("x-amz-checksum-sha256", Encoding.base64(bodyHash))] : [] }
    }
    /// Room for error documents and listings of a thousand long keys.
    var maxResponseBytes = 16 << 20

    init(method: String, key: String, query: [(String, String)] = []) {
        self.init(method: method, key: key, query: query, body: [], bodyHash: Self.emptyHash)
    }

    init(method: String, key: String, query: [(String, String)] = [], body: [UInt8], bodyHash: [UInt8]) {
        self.method = method
        self.key = key
        self.query = query
        self.body = body
        self.bodyHash = bodyHash
    }
}
