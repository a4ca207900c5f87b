import Foundation
import HTTPClient
import Injector
import Kubernetes
import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Coordinator

/// A webhook in this process, on loopback, with a certificate of its own authority.
struct RunningWebhook: Sendable {
    let server: WebhookServer
    let url: String
    let group: ServiceGroup

    static let settings = InjectorSettings(
        image: "acme/remora-agent@sha256:1",
        coordinatorURL: "https://remora-agents.remora-system.svc",
        version: "test"
    )

    static let pod = """
        {"metadata":{"name":"orders-0","annotations":{"remora.dev/inject":"true"}},
         "spec":{"containers":[{"name":"mongod","image":"mongo:7"}]}}
        """

    /// When it is for a webhook that is never late, however busy the machine.
    static let begin = ContinuousClock.now

    /// Runs a webhook while `body` runs.
    static func run(
        _ source: CertificateKeeper.Source,
        namespaces: any NamespaceFactsSource = NamespaceCache(),
        now: @escaping @Sendable () -> ContinuousClock.Instant = { RunningWebhook.begin },
        _ body: @escaping @Sendable (RunningWebhook) async throws -> Void
    ) async throws {
        let port = try Ports.free()
        var configuration = WebhookConfiguration(
            listen: try #require(ListenAddress("127.0.0.1:\(port)")),
            injector: settings,
            certificates: source,
            names: WebhookConfiguration.names(ofServices: ["remora-webhook", "remora-agents"], in: "remora-system")
        )
        configuration.namespaces = namespaces
        let clock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
        let server = WebhookServer(configuration, clock: clock, logger: CertificateKeeperTests.quiet, now: now)
        let group = ServiceGroup(configuration: .init(services: [server], logger: CertificateKeeperTests.quiet))
        let running = RunningWebhook(server: server, url: "https://127.0.0.1:\(port)", group: group)
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                try await group.run()
                return false
            }
            tasks.addTask {
                try await eventually("the webhook is ready") { server.isReady }
                try await body(running)
                return true
            }
            while let isBody = try await tasks.next(), !isBody {}
            await group.triggerGracefulShutdown()
            for try await _ in tasks {}
        }
    }

    /// A client as the API server is one: it knows the bundle and the service's name.
    func client(name: String = "remora-webhook.remora-system.svc", bundle: String? = nil) -> HTTPClient {
        HTTPClient(
            HTTPClientConfiguration(trust: .pem(Array((bundle ?? server.certificates.bundle).utf8)), serverName: name)
        )
    }

    static func question(_ pod: String = pod, namespace: String = "shop") -> String {
        """
        {"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1","operation":"CREATE",
         "kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"\(namespace)","object":\(pod)}}
        """
    }

    func ask(
        _ body: String = question(),
        type: String = "application/json",
        query: String = "?timeout=5s",
        _ client: HTTPClient? = nil
    ) async throws -> HTTPResponse {
        try await (client ?? self.client()).send(
            HTTPRequest(
                method: "POST",
                url: "\(url)/webhook/v1/inject\(query)",
                headers: [("Content-Type", type)],
                body: Array(body.utf8)
            )
        )
    }

    func get(_ path: String) async throws -> Int { try await client().send(HTTPRequest(url: url + path)).status }
}

@Suite("The admission webhook over TLS")
struct WebhookTests {
    private func withAuthority(
        namespaces: any NamespaceFactsSource = NamespaceCache(),
        now: @escaping @Sendable () -> ContinuousClock.Instant = { RunningWebhook.begin },
        _ body: @escaping @Sendable (RunningWebhook) async throws -> Void
    ) async throws {
        try await withTestDirectory("webhook") { directory in
            try await RunningWebhook.run(
                .authority(DirectoryAuthorityStore(directory: directory.path)),
                namespaces: namespaces,
                now: now,
                body
            )
        }
    }

    @Test("a question gets its patch, by every name that the certificate is for")
    func answered() async throws {
        try await withAuthority { webhook in
            for name in [
                "remora-webhook.remora-system.svc", "remora-agents.remora-system.svc.cluster.local", "localhost",
            ] {
                let response = try await webhook.ask(webhook.client(name: name))
                #expect(response.status == 200)
                #expect(response.headers["content-type"] == "application/json")
                let answer = try JSONTree(parsing: response.body)["response"]
                #expect(answer?["uid"] == "u-1")
                #expect(answer?["patchType"] == "JSONPatch")
                #expect(answer?[path: "auditAnnotations", "result"] == "injected")
            }
            let counted = webhook.server.counters.values
            #expect(counted.outcomes[.injected] == 3)
            let own = try #require(counted.outcomes[.notAsked], "its own question is one of them")
            #expect(counted.durations.reduce(0, +) == 3 + own)
            await #expect { _ = try await webhook.ask(webhook.client(name: "evil.example")) } throws: { error in
                (error as? HTTPClientError)?.code == .tls
            }
        }
    }

    @Test("what is no question is refused in a sentence, and counted")
    func malformed() async throws {
        try await withAuthority { webhook in
            let nonsense = try await webhook.ask("{}")
            #expect(nonsense.status == 400)
            #expect(
                String(decoding: nonsense.body, as: UTF8.self).contains(
                    "the body is no AdmissionReview of admission.k8s.io/v1"
                )
            )
            #expect(try await webhook.ask(type: "text/plain").status == 415)
            #expect(try await webhook.ask(type: "application/json; charset=utf-8").status == 200)
            let large = RunningWebhook.question(
                #"{"metadata":{"x":"\#(String(repeating: "x", count: 7 << 20))"},"spec":{}}"#
            )
            #expect(try await webhook.ask(large).status == 413)
            #expect(try await webhook.client().send(HTTPRequest(url: webhook.url + "/webhook/v1/inject")).status >= 400)
            #expect(webhook.server.counters.values.malformed == 2)
        }
    }

    @Test("probes are answered, and readiness ends before the server does")
    func probes() async throws {
        try await withAuthority { webhook in
            #expect(try await webhook.get("/healthz") == 200)
            #expect(try await webhook.get("/readyz") == 200)
            await webhook.group.triggerGracefulShutdown()
            try await eventually("it isn't ready any more") { !webhook.server.isReady }
            #expect(try await webhook.get("/readyz") == 503)
            #expect(try await webhook.ask().status == 200)
        }
    }

    @Test("what is known of the namespace counts; where nothing is, the strictest rules do")
    func namespaces() async throws {
        let cache = NamespaceCache()
        cache.replaceAll([NamespaceFacts(name: "shop", isOptedOut: true), NamespaceFacts(name: "open")])
        try await withAuthority(namespaces: cache) { webhook in
            let optedOut = try await webhook.result("shop")
            #expect(optedOut == "skipped")
            let open = try await webhook.result("open")
            #expect(open == "injected")
            cache.remove("shop")
            let unknown = try await webhook.result("shop")
            #expect(unknown == "injected")
            let strange = RunningWebhook.pod.replacingOccurrences(
                of: #""image":"mongo:7""#,
                with: #""image":"mongo:7","securityContext":{"seLinuxOptions":{"type":"spc_t"}}"#
            )
            let odd = try await webhook.result("open", strange)
            #expect(odd == "injected")
            let oddUnknown = try await webhook.result("unknown", strange)
            #expect(oddUnknown == "refused")
        }
    }

    @Test("an answer that would come too late is given without a decision")
    func deadline() async throws {
        // Every look at the clock finds it three seconds later.
        let time = Mutex(ContinuousClock.now)
        let slow: @Sendable () -> ContinuousClock.Instant = {
            time.withLock { time in
                time += .seconds(3)
                return time
            }
        }
        try await withAuthority(now: slow) { webhook in
            let answer = try JSONTree(parsing: try await webhook.ask().body)["response"]
            #expect(answer?["allowed"] == true)
            #expect(
                answer?["warnings"]?[0]
                    == "remora: no agent was injected: the webhook was too slow; make the pod anew to have an agent"
            )
            #expect(webhook.server.counters.values.reasons == ["deadline": 1])
        }
    }

    @Test("a renewed certificate is served to new connections, and old connections go on")
    func hotReload() async throws {
        try await withTestDirectory("webhook") { directory in
            let now = Int64(Date().timeIntervalSince1970)
            let name = "remora-webhook.remora-system.svc"
            let (old, new) = (try Authority.make(now: now), try Authority.make(now: now))
            func write(_ authority: Authority) throws {
                let served = try authority.issue([name], now: now)
                try directory.write(authority.certificate, to: "ca.crt")
                try directory.write(served.chain, to: "tls.crt")
                try directory.write(served.key, to: "tls.key")
            }
            try write(old)
            let files = CertificateFiles(
                certificate: directory.appending("tls.crt"),
                key: directory.appending("tls.key")
            )
            try await RunningWebhook.run(.files(files)) { webhook in
                let kept = webhook.client(bundle: old.certificate)
                #expect(try await webhook.ask(kept).status == 200)
                let served = try new.issue([name], now: now)
                try directory.write(new.certificate, to: "ca.crt")
                try directory.write(served.key, to: "tls.key")
                try directory.write(served.chain, to: "tls.crt")
                try await webhook.server.certificates.refresh()
                #expect(try await webhook.ask(webhook.client(bundle: new.certificate)).status == 200)
                await #expect { _ = try await webhook.ask(webhook.client(bundle: old.certificate)) } throws: { error in
                    (error as? HTTPClientError)?.code == .tls
                }
                #expect(try await webhook.ask(kept).status == 200)
            }
        }
    }

    @Test("a webhook whose certificate is for another service doesn't say that it is ready")
    func notProven() async throws {
        try await withTestDirectory("webhook") { directory in
            let now = Int64(Date().timeIntervalSince1970)
            let authority = try Authority.make(now: now)
            let served = try authority.issue(["other.example"], now: now)
            let address = try #require(ListenAddress("127.0.0.1:\(try Ports.free())"))
            try directory.write(authority.certificate, to: "ca.crt")
            try directory.write(served.chain, to: "tls.crt")
            try directory.write(served.key, to: "tls.key")
            let server = WebhookServer(
                WebhookConfiguration(
                    listen: address,
                    injector: RunningWebhook.settings,
                    certificates: .files(
                        .init(certificate: directory.appending("tls.crt"), key: directory.appending("tls.key"))
                    ),
                    names: ["remora-webhook.remora-system.svc"]
                ),
                clock: { now },
                logger: CertificateKeeperTests.quiet
            )
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await server.run() }
                let client = HTTPClient(
                    HTTPClientConfiguration(trust: .pem(Array(authority.certificate.utf8)), serverName: "other.example")
                )
                try await eventually("it answers") {
                    try await client.send(HTTPRequest(url: "https://\(address)/healthz")).status == 200
                }
                let reason = await #expect(throws: CertificateError.self) {
                    try await WebhookSelfTest(
                        address: address,
                        name: "remora-webhook.remora-system.svc",
                        bundle: authority.certificate
                    ).run()
                }
                #expect(
                    reason?.description.hasPrefix("the webhook doesn't answer at \(address) as remora-webhook") == true
                )
                #expect(try await client.send(HTTPRequest(url: "https://\(address)/readyz")).status == 503)
                tasks.cancelAll()
                // Cancelled, as said.
                while let result = await tasks.nextResult() { _ = result }
            }
        }
    }
}

extension RunningWebhook {
    /// What was decided about a pod.
    func result(_ namespace: String, _ pod: String = pod) async throws -> String {
        let response = try await ask(Self.question(pod, namespace: namespace))
        return try #require(
            try JSONTree(parsing: response.body)[path: "response", "auditAnnotations", "result"]?.string
        )
    }

    func ask(_ client: HTTPClient) async throws -> HTTPResponse {
        try await ask(Self.question(), type: "application/json", query: "", client)
    }
}
