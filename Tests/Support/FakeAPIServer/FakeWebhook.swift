import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
public import Kubernetes
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization
import TestSupport

/// An admission webhook that a closure plays, over TLS.
public final class FakeWebhook: Sendable {
    /// Like `https://127.0.0.1:40124`.
    public let url: String
    /// Its port on the loopback interface.
    public let port: Int
    /// The certificate of its authority (PEM).
    public let authority: String
    private let service: ServiceGroup
    private let task: Task<Void, any Error>
    private let seen: Reviews

    private final class Reviews: Sendable {
        let list = Mutex<[JSONTree]>([])
    }

    private init(
        port: Int,
        authority: String,
        service: ServiceGroup,
        task: Task<Void, any Error>,
        seen: Reviews
    ) {
        self.port = port
        self.service = service
        url = "https://127.0.0.1:\(port)"
        self.authority = authority
        self.task = task
        self.seen = seen
    }

    /// The `request` of every review so far.
    public var requests: [JSONTree] { seen.list.withLock { $0 } }

    /// Starts one.
    ///
    /// - Parameters:
    ///   - names: DNS names of its certificate, besides `localhost`.
    ///   - answer: from a review's `request` to the `response`, whose `uid` is filled in unless it has one; what isn't an
    ///     object is sent as the whole body.
    /// - Returns: the webhook, which runs until ``stop()``.
    /// - Throws: when no certificate can be made or no port is free.
    public static func start(
        names: [String] = [],
        _ answer: @escaping @Sendable (JSONTree) -> JSONTree
    ) async throws -> FakeWebhook {
        let (authority, tls) = try await withTestDirectory("webhook") { directory in
            let files = try await Certificates.make(in: directory, names: names)
            let chain = try NIOSSLCertificate.fromPEMFile(files.serverCertificateFile).map {
                NIOSSLCertificateSource.certificate($0)
            }
            let key = try NIOSSLPrivateKey(file: files.serverKeyFile, format: .pem)
            let configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain,
                privateKey: .privateKey(key)
            )
            return (try String(contentsOfFile: files.caFile, encoding: .utf8), configuration)
        }
        let seen = Reviews()
        let responder = CallbackResponder { (request: Request, _: BasicRequestContext) in
            let buffer = try await request.body.collect(upTo: 16 << 20)
            let review = try JSONTree(parsing: Array(buffer.readableBytesView))
            let question = review["request"] ?? .null
            seen.list.withLock { $0.append(question) }
            var response = answer(question)
            guard response.object != nil else {
                return Self.reply(response.string.map { Array($0.utf8) } ?? response.bytes)
            }
            if response["uid"] == nil { response["uid"] = question["uid"] }
            let body: JSONTree = [
                "apiVersion": review["apiVersion"] ?? .null, "kind": "AdmissionReview", "response": response,
            ]
            return Self.reply(body.bytes)
        }
        var logger = Logger(label: "fake-webhook")
        logger.logLevel = .critical
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: responder,
            server: try .tls(.http1(), tlsConfiguration: tls),
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in continuation.yield(channel.localAddress?.port ?? 0) },
            logger: logger
        )
        let service = ServiceGroup(configuration: .init(services: [application], logger: logger))
        let task = Task {
            defer { continuation.finish() }
            try await service.run()
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else {
            try await task.value
            throw FakeAPIServerError("the fake webhook ended before it listened")
        }
        return FakeWebhook(port: port, authority: authority, service: service, task: task, seen: seen)
    }

    private static func reply(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// Ends it.
    public func stop() async {
        await service.triggerGracefulShutdown()
        // How it ended doesn't matter any more.
        _ = try? await task.value
    }
}
