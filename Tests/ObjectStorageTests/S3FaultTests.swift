import Glibc
import ObjectStorage
import Synchronization
import TestSupport
import Testing

/// The S3 back end against servers and networks that misbehave.
@Suite("S3 when the store misbehaves")
struct S3FaultTests {
    /// Nothing may move for `idle`: short only where a stall is the test, because this machine may be busy.
    private func configuration(_ server: RawServer, idle: Duration = .seconds(30)) -> S3Configuration {
        S3Configuration(
            endpoint: server.url,
            bucket: "bucket",
            prefix: "p",
            accessKeyID: "AK",
            secretAccessKey: "the-secret",
            multipartThreshold: 100_000,
            partSize: 40_000,
            requestTimeout: .seconds(60),
            idleTimeout: idle
        )
    }

    private func retrying(
        _ server: RawServer,
        attempts: Int = 6,
        fault: Fault? = nil
    ) throws -> RetryingStore<S3Store> {
        let policy = RetryPolicy(
            attempts: attempts,
            firstDelay: .milliseconds(1),
            maximumDelay: .milliseconds(5),
            totalTime: .seconds(60)
        )
        let idle: Duration = fault == .stall ? .seconds(1) : .seconds(30)
        return RetryingStore(try S3Store(configuration(server, idle: idle)), policy: policy) { _ in }
    }

    private static func errorBody(_ code: String) -> String {
        "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>because of a reason.</Message></Error>"
    }

    /// One way to misbehave; the connection is over afterwards.
    enum Fault: String, CaseIterable, Sendable {
        case internalError = "500 Internal Server Error InternalError"
        case slowDown = "503 Slow Down SlowDown"
        case throttled = "429 Too Many Requests"
        case gateway = "502 Bad Gateway"
        case badDigest = "400 Bad Request BadDigest"
        case reset
        case silentClose
        case stall
        case truncated

        func act(_ connection: RawConnection) {
            switch self {
            case .reset: connection.resetAtEnd()
            case .silentClose: break
            case .stall: connection.waitForEnd()
            case .truncated: connection.write("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf")
            case .throttled, .gateway: connection.respond(rawValue, [], "<html>not S3's XML</html>")
            default:
                let words = rawValue.split(separator: " ")
                let code = words.last.map(String.init) ?? ""
                connection.respond(words.dropLast().joined(separator: " "), [], S3FaultTests.errorBody(code))
            }
        }
    }

    @Test("comes through after three times the same fault", arguments: Fault.allCases)
    func passingFault(_ fault: Fault) async throws {
        let stored = Mutex<[UInt8]>([])
        let failed = Mutex([String: Int]())
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                let count = failed.withLock {
                    $0[request.method, default: 0] += 1; return $0[request.method] ?? 0
                }
                if count <= 3 { return fault.act(connection) }
                if request.method == "PUT" {
                    stored.withLock { $0 = request.body }
                    connection.respond("200 OK", ["ETag: \"x\""])
                } else {
                    connection.respond("200 OK", [], String(decoding: stored.withLock { $0 }, as: UTF8.self))
                }
            }
        } _: { server in
            let store = try retrying(server, fault: fault)
            let bytes = Array("what is to be kept".utf8)
            try await store.put("key", bytes)
            #expect(try await store.get("key") == bytes)
            #expect(failed.withLock { $0 } == ["PUT": 4, "GET": 4])
        }
    }

    @Test("gives up on a fault that stays, with one clear sentence", arguments: Fault.allCases)
    func lastingFault(_ fault: Fault) async throws {
        try await withRawServer { connection in
            if connection.readRequest() != nil { fault.act(connection) }
        } _: { server in
            let store = try retrying(server, attempts: 3, fault: fault)
            let error = await #expect(throws: ObjectStorageError.self) { try await store.put("key", [1, 2, 3]) }
            #expect(error?.code == (fault == .badDigest ? .corrupt : .unavailable), "\(String(describing: error))")
            let message = error?.message ?? ""
            #expect(message.hasPrefix("cannot write object 'key' in s3:\(server.url)/bucket/p: "), "\(message)")
            #expect(message.contains("gave up after 3 tries"))
            #expect(!message.contains("the-secret"))
            #expect(server.connectionCount == 3)
        }
    }

    @Test("doesn't try again what can't get better")
    func permanent() async throws {
        for (status, code, expected) in [
            ("403 Forbidden", "AccessDenied", ObjectStorageError.Code.accessDenied),
            ("403 Forbidden", "RequestTimeTooSkewed", .accessDenied), ("404 Not Found", "NoSuchBucket", .notFound),
            ("404 Not Found", "NoSuchKey", .notFound), ("400 Bad Request", "KeyTooLongError", .invalidConfiguration),
            ("403 Forbidden", "QuotaExceeded", .noSpace), ("507 Insufficient Storage", "XMinioStorageFull", .noSpace),
            ("418 I'm a teapot", "Tea", .unexpected),
        ] {
            let count = Mutex(0)
            try await withRawServer { connection in
                while connection.readRequest() != nil {
                    count.withLock { $0 += 1 }
                    connection.respond(status, [], Self.errorBody(code))
                }
            } _: { server in
                let store = try retrying(server)
                let error = await #expect(throws: ObjectStorageError.self) { _ = try await store.get("key") }
                #expect(error?.code == expected, "\(code)")
                #expect(error?.isTransient == false)
                #expect(count.withLock { $0 } == 1)
            }
        }
    }

    @Test("notices a store that got other bytes than we sent")
    func wrongChecksum() async throws {
        try await withRawServer { connection in
            while connection.readRequest() != nil {
                connection.respond("200 OK", ["x-amz-checksum-sha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="])
            }
        } _: { server in
            let error = await #expect(throws: ObjectStorageError.self) {
                try await S3Store(configuration(server)).put("key", [1])
            }
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains("another SHA-256") == true)
        }
    }

    @Test("does without the checksum field on a store that refuses it, and remembers")
    func noChecksumFeature() async throws {
        let fields = Mutex<[Bool]>([])
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                let isThere = request.field("x-amz-checksum-sha256") != nil
                fields.withLock { $0.append(isThere) }
                #expect(request.field("x-amz-content-sha256")?.count == 64)
                if isThere {
                    connection.respond("501 Not Implemented", [], Self.errorBody("NotImplemented"))
                } else {
                    connection.respond("200 OK")
                }
            }
        } _: { server in
            let store = try S3Store(configuration(server))
            try await store.put("a", [1])
            try await store.put("b", [2])
            #expect(fields.withLock { $0 } == [true, false, false])
        }
    }

    @Test("does without the conditional field on a store that has none, once it knows the object absent")
    func noConditionalPut() async throws {
        let seen = Mutex<[String]>([])
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                let isConditional = request.field("if-none-match") == "*"
                seen.withLock { $0.append(request.method + (isConditional ? "*" : "")) }
                if request.method == "HEAD" {
                    connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                } else if isConditional {
                    connection.respond("501 Not Implemented", [], Self.errorBody("NotImplemented"))
                } else {
                    connection.respond("200 OK")
                }
            }
        } _: { server in
            var configuration = configuration(server)
            configuration.sendsChecksum = false
            try await S3Store(configuration).put("a", [1], options: PutOptions(ifAbsent: true))
            #expect(seen.withLock { $0 } == ["HEAD", "PUT*", "PUT"])
        }
    }

    @Test("takes its own earlier success for one, and another's object for another's", arguments: [true, false])
    func lostAnswer(_ isOurs: Bool) async throws {
        let stored = Mutex<[UInt8]?>(nil)
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                switch (request.method, stored.withLock { $0 }) {
                case ("PUT", nil):
                    // Stores it and loses the answer.
                    stored.withLock { $0 = isOurs ? request.body : Array("other".utf8) }
                    return connection.resetAtEnd()
                case ("PUT", _): connection.respond("412 Precondition Failed", [], Self.errorBody("PreconditionFailed"))
                case ("HEAD", nil): connection.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                case ("HEAD", let bytes?): connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(bytes.count)\r\n\r\n")
                case (_, let bytes): connection.respond("200 OK", [], String(decoding: bytes ?? [], as: UTF8.self))
                }
            }
        } _: { server in
            let store = try retrying(server)
            let bytes = Array("mine!".utf8)
            if isOurs {
                try await store.put("key", bytes, options: PutOptions(ifAbsent: true))
            } else {
                let error = await #expect(throws: ObjectStorageError.self) {
                    try await store.put("key", bytes, options: PutOptions(ifAbsent: true))
                }
                #expect(error?.code == .alreadyExists)
            }
        }
    }

    @Test("aborts an upload in parts that fails, also in a cancelled task", arguments: [true, false])
    func abort(_ isCancelled: Bool) async throws {
        let isPartThere = Mutex(false)
        let aborted = Mutex<String?>(nil)
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                switch request.method {
                case "POST":
                    connection.respond(
                        "200 OK",
                        [],
                        "<InitiateMultipartUploadResult><UploadId>u/1 +</UploadId></InitiateMultipartUploadResult>"
                    )
                case "PUT":
                    isPartThere.withLock { $0 = true }
                    if isCancelled { return connection.waitForEnd() }
                    connection.respond("403 Forbidden", [], Self.errorBody("AccessDenied"))
                default:
                    aborted.withLock { $0 = "\(request.method) \(request.path)" }
                    connection.respond("204 No Content")
                }
            }
        } _: { server in
            let store = try S3Store(configuration(server))
            let task = Task { try await store.put("big", pseudoRandomBytes(200_000)) }
            if isCancelled {
                while !isPartThere.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            } else {
                let error = await #expect(throws: ObjectStorageError.self) { try await task.value }
                #expect(error?.code == .accessDenied)
                #expect(error?.message.contains("part ") == true)
            }
            #expect(aborted.withLock { $0 } == "DELETE /bucket/p/big?uploadId=u%2F1%20%2B")
        }
    }

    @Test("finds the error that comes in the body of a 200")
    func lateError() async throws {
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                if request.path.hasSuffix("?uploads=") {
                    connection.respond(
                        "200 OK",
                        [],
                        "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                    )
                } else if request.method == "PUT" {
                    connection.respond("200 OK", ["ETag: \"e\""])
                } else if request.method == "POST" {
                    connection.respond("200 OK", [], "  \n" + Self.errorBody("InternalError"))
                } else {
                    connection.respond("204 No Content")
                }
            }
        } _: { server in
            let error = await #expect(throws: ObjectStorageError.self) {
                try await S3Store(configuration(server)).put("big", pseudoRandomBytes(200_000))
            }
            #expect(error?.code == .unavailable)
            #expect(error?.isTransient == true)
            #expect(error?.message.contains("InternalError") == true)
        }
    }

    @Test("signs for the region that the store names, and remembers it")
    func otherRegion() async throws {
        let regions = Mutex<[String]>([])
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                let scope =
                    request.field("authorization")?.split(separator: "/").dropFirst(2).first.map(String.init) ?? ""
                regions.withLock { $0.append(scope) }
                if scope == "eu-central-1" {
                    connection.respond("200 OK")
                } else {
                    connection.respond(
                        "400 Bad Request",
                        [],
                        "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>"
                    )
                }
            }
        } _: { server in
            let store = try S3Store(configuration(server))
            try await store.put("a", [1])
            try await store.put("b", [1])
            #expect(regions.withLock { $0 } == ["us-east-1", "eu-central-1", "eu-central-1"])
        }
    }

    @Test("takes its part of a whole object from a store that passes over ranges")
    func noRanges() async throws {
        try await withRawServer { connection in
            while connection.readRequest() != nil { connection.respond("200 OK", [], "0123456789") }
        } _: { server in
            let store = try S3Store(configuration(server))
            #expect(try await store.get("key", range: 3..<6) == Array("345".utf8))
            let error = await #expect(throws: ObjectStorageError.self) { _ = try await store.get("key", range: 3..<11) }
            #expect(error?.code == .corrupt)
        }
    }

    @Test("addresses buckets by path or by host", arguments: [true, false])
    func addressing(_ pathStyle: Bool) async throws {
        let seen = Mutex<(line: String, host: String)>(("", ""))
        try await withRawServer { connection in
            while let request = connection.readRequest() {
                seen.withLock { $0 = (request.line, request.field("host") ?? "") }
                connection.respond("200 OK", [], "<ListBucketResult/>")
            }
        } _: { server in
            var configuration = configuration(server)
            configuration.endpoint = "http://localhost:\(server.port)"
            configuration.pathStyle = pathStyle
            let store = try S3Store(configuration)
            try await store.put("a b/c+d", [1])
            #expect(seen.withLock { $0.line } == "PUT \(pathStyle ? "/bucket" : "")/p/a%20b/c%2Bd HTTP/1.1")
            #expect(seen.withLock { $0.host } == "\(pathStyle ? "" : "bucket.")localhost:\(server.port)")
            _ = try await store.list(prefix: "x")
            #expect(
                seen.withLock { $0.line }
                    == "GET \(pathStyle ? "/bucket" : "/")?encoding-type=url&list-type=2&max-keys=1000&prefix=p%2Fx HTTP/1.1"
            )
        }
    }
}
