import Foundation
import Kubernetes
import ServiceLifecycle

/// A Kubernetes API server for tests, as strict as a real one: what that refuses, this refuses.
///
/// It speaks real HTTP/2 and HTTP/1.1 over TLS on a port of the loopback interface, so that the product's own client,
/// webhooks and kubectl can be driven against it.
public final class FakeAPIServer: Sendable {
    /// Where it listens, like `https://127.0.0.1:40123`.
    public let url: String
    /// A token that may do everything.
    public let adminToken: String
    let core: ServerCore
    let tls: ServerTLS?
    private let service: ServiceGroup
    private let listening: Task<Void, any Error>
    private let controllers: Task<Void, Never>

    private init(
        url: String,
        tls: ServerTLS?,
        core: ServerCore,
        service: ServiceGroup,
        listening: Task<Void, any Error>,
        controllers: Task<Void, Never>
    ) {
        self.url = url
        self.tls = tls
        self.core = core
        self.service = service
        self.listening = listening
        self.controllers = controllers
        adminToken = core.tokens.issue(.admin)
    }

    /// Its authority's certificate (PEM) as it is now; empty without TLS.
    public var authority: String { tls?.authority ?? "" }

    /// Starts a server, which runs until ``stop()``.
    public static func start(_ options: FakeAPIServerOptions = FakeAPIServerOptions()) async throws -> FakeAPIServer {
        let core = ServerCore(options)
        let tls: ServerTLS? =
            options.usesTLS
            ? try ServerTLS(try await Authority.shared.material(), offersHTTP2: options.offersHTTP2) : nil
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let service = Listener(core: core, tls: tls).service { continuation.yield($0) }
        let listening = Task {
            defer { continuation.finish() }
            try await service.run()
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else {
            try await listening.value
            throw FakeAPIServerError("the fake API server ended before it listened")
        }
        let controllers = Task { await Controllers(core: core).run() }
        let scheme = options.usesTLS ? "https" : "http"
        let roots = tls?.authority ?? ""
        core.store.write { state in Bootstrap.publish(roots, &state) }
        return FakeAPIServer(
            url: "\(scheme)://127.0.0.1:\(port)",
            tls: tls,
            core: core,
            service: service,
            listening: listening,
            controllers: controllers
        )
    }

    /// Ends all watches and connections, and the server.
    public func stop() async {
        core.faults.liftAll()
        core.store.close()
        controllers.cancel()
        await controllers.value
        await service.triggerGracefulShutdown()
        await withTaskGroup { group in
            // How it ended doesn't matter any more.
            group.addTask { [listening] in _ = try? await listening.value }
            // Nobody waits for clients that keep an idle connection.
            group.addTask { [core] in
                repeat { core.connections.cutAccepted() } while (try? await Task.sleep(for: .milliseconds(10))) != nil
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Runs `body` with a server that is stopped afterwards.
    public static func run<Result>(
        _ options: FakeAPIServerOptions = FakeAPIServerOptions(),
        _ body: (FakeAPIServer) async throws -> Result
    ) async throws -> Result {
        let server = try await start(options)
        do {
            let result = try await body(server)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }
}

/// What a test asked of the fake and can't have.
public struct FakeAPIServerError: Error, Sendable, CustomStringConvertible {
    /// Why.
    public let description: String
    init(_ description: String) { self.description = description }
}
