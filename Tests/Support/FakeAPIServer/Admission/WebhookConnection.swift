import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// One HTTPS exchange with a webhook, as strict about certificates as a real API server.
enum WebhookConnection {
    static func post(_ body: [UInt8], to target: WebhookTarget, timeout: Duration) async throws(WebhookFailure) -> (
        Int, [UInt8]
    ) {
        do {
            return try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
                group.addTask { try await exchange(body, target) }
                group.addTask {
                    try await Task.sleep(for: timeout)
                    throw WebhookFailure("context deadline exceeded")
                }
                defer { group.cancelAll() }
                guard let result = try await group.next() else { throw WebhookFailure("no answer") }
                return result
            }
        } catch let failure as WebhookFailure {
            throw WebhookFailure("Post \"\(target.shown)\": \(failure.text)")
        } catch {
            throw WebhookFailure("Post \"\(target.shown)\": \(error)")
        }
    }

    /// NIOSSL takes a certificate for the peer's address too; an API server wants the name that it was given.
    private static func check(_ certificate: NIOSSLCertificate, has name: String?) throws {
        guard let name else { return }
        let names = certificate._subjectAlternativeNames().filter { $0.nameType == .dnsName }.map {
            String(decoding: $0.contents, as: UTF8.self)
        }
        let parent = name.split(separator: ".", maxSplits: 1).dropFirst().first.map { "*.\($0)" }
        guard names.contains(where: { $0 == name || $0 == parent }) else {
            throw WebhookFailure(
                "tls: failed to verify certificate: x509: certificate is valid for \(names.joined(separator: ", ")), not \(name)"
            )
        }
    }

    private static func exchange(_ body: [UInt8], _ target: WebhookTarget) async throws -> (Int, [UInt8]) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let authority = target.authority {
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority))
        }
        let context = try NIOSSLContext(configuration: configuration)
        // A name isn't an address: then there is no name to check, but the peer's address, which TLS does.
        let isAddress = (try? SocketAddress(ipAddress: target.serverName, port: 0)) != nil
        let name = isAddress ? nil : target.serverName
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: target.address, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let tls = try NIOSSLClientHandler._makeSSLClientHandler(
                        context: context,
                        serverHostname: name,
                        additionalPeerCertificateVerificationCallback: { certificate, channel in
                            channel.eventLoop.makeCompletedFuture { try check(certificate, has: name) }
                        }
                    )
                    try channel.pipeline.syncOperations.addHandler(tls)
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel
                    )
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            let headers: HTTPHeaders = [
                "Host": "\(target.serverName):\(target.port)", "Content-Type": "application/json",
                "Accept": "application/json",
                "Content-Length": String(body.count), "Connection": "close", "User-Agent": "kube-apiserver-admission",
            ]
            // At once: behind the body the other side may answer and close, and what is written then fails.
            try await outbound.write(
                contentsOf: [
                    .head(HTTPRequestHead(version: .http1_1, method: .POST, uri: target.path, headers: headers)),
                    .body(.byteBuffer(ByteBuffer(bytes: body))), .end(nil),
                ]
            )
            var status = 0
            var answer: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let head): status = Int(head.status.code)
                case .body(let buffer): answer += buffer.readableBytesView
                case .end: return (status, answer)
                }
            }
            throw WebhookFailure("EOF")
        }
    }
}
