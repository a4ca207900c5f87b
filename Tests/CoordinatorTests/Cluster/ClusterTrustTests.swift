import BackupModel
import FakeAPIServer
import Foundation
import HTTPClient
import Kubernetes
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Coordinator

/// What agents and the API server are to trust, and whether they can check what they meet.
@Suite(.serialized) struct ClusterTrustTests {
    private static let names = WebhookConfiguration.names(
        ofServices: ["remora-webhook", "remora-agents"],
        in: KubernetesHarness.system
    )

    /// Where a replica is answered by TLS.
    private struct Places: Sendable {
        var agents: UInt16
        var webhook: UInt16
        var urls: [String] { [agents, webhook].map { "https://127.0.0.1:\($0)/healthz" } }
    }

    /// A replica with a webhook, and so with a certificate.
    private static func makeReplica(
        _ name: String,
        _ harness: KubernetesHarness,
        _ source: CertificateKeeper.Source,
        tls: (certificate: String, key: String)? = nil
    ) throws -> (replica: KubernetesHarness.Replica, places: Places) {
        let places = Places(agents: try Ports.free(), webhook: try Ports.free())
        let (agents, webhook) = (
            try #require(ListenAddress("127.0.0.1:\(places.agents)")),
            try #require(ListenAddress("127.0.0.1:\(places.webhook)"))
        )
        let replica = try harness.makeReplica(name) { settings in
            settings.listen = agents
            settings.tls = tls
            var served = WebhookConfiguration(
                listen: webhook,
                injector: RunningWebhook.settings,
                certificates: source,
                names: names
            )
            served.lingering = .zero
            settings.webhook = served
        }
        return (replica, places)
    }

    private static func client(_ bundle: String) -> HTTPClient {
        HTTPClient(
            HTTPClientConfiguration(
                trust: .pem(Array(bundle.utf8)),
                serverName: "remora-webhook.\(KubernetesHarness.system).svc"
            )
        )
    }

    /// Whether somebody who trusts a bundle can check what a place serves.
    fileprivate static func canCheck(_ url: String, _ bundle: String) async -> Bool {
        do {
            return try await client(bundle).send(HTTPRequest(url: url)).status == 200
        } catch {
            return false
        }
    }

    private static func agentsBundle(_ fake: FakeAPIServer) -> String? {
        fake.object("configmaps", namespace: "shop", name: "remora-ca")?[path: "data", "ca.crt"]?.string
    }

    fileprivate static func serversBundle(_ fake: FakeAPIServer) -> String? {
        let hook = fake.object(
            "mutatingwebhookconfigurations",
            group: "admissionregistration.k8s.io",
            name: "zz-remora-injector"
        )
        return hook?["webhooks"]?[0]?[path: "clientConfig", "caBundle"]?.string.flatMap { Data(base64Encoded: $0) }
            .map { String(decoding: $0, as: UTF8.self) }
    }

    private static func certificates(_ bundle: String?) -> Int {
        (bundle ?? "").components(separatedBy: "BEGIN CERTIFICATE").count - 1
    }

    /// Asks all the time, as an agent and as the API server.
    private final class Prober: Sendable {
        private struct State {
            var agent: String
            var checks = 0
            var failures: [String] = []
        }
        private let urls: [String]
        private let fake: FakeAPIServer
        private let state: Mutex<State>

        init(_ urls: [String], _ fake: FakeAPIServer, agent: String) {
            self.urls = urls
            self.fake = fake
            state = Mutex(State(agent: agent))
        }

        var checks: Int { state.withLock(\.checks) }
        var failures: [String] { state.withLock(\.failures) }

        /// An agent's copy changes when its kubelet has seen the change: late.
        func agentNowTrusts(_ bundle: String) { state.withLock { $0.agent = bundle } }

        func run() async {
            while !Task.isCancelled {
                for url in urls {
                    // The API server asks with what it was told last.
                    let server = ClusterTrustTests.serversBundle(fake) ?? ""
                    for (who, bundle) in [("agent", state.withLock(\.agent)), ("API server", server)] {
                        let isGood = await ClusterTrustTests.canCheck(url, bundle)
                        if Task.isCancelled { return }
                        state.withLock { state in
                            state.checks += 1
                            if !isGood { state.failures.append("\(who) at \(url)") }
                        }
                    }
                }
                // As often as this is enough, and leaves the processors to others. Cancelled: the loop's condition ends it.
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    private static func installWebhook(_ fake: FakeAPIServer) async throws {
        let text = try String(contentsOfFile: "\(Tools.packageRoot)/manifests/base/webhook.yaml", encoding: .utf8)
        try await fake.apply(yaml: text)
    }

    @Test("while an authority is exchanged, nobody meets a certificate that he can't check", .timeLimit(.minutes(3)))
    func rotation() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.makePod("mongo-0")
            try await Self.installWebhook(harness.fake)
            let store = ClusterAuthorityStore(harness.client, namespace: KubernetesHarness.system)
            // Two thirds of its life are over in a moment.
            let now = CoordinatorCore.now().unixMs / 1000
            let age = (Authority.lifetime + Authority.tolerance) * 2 / 3 - Authority.tolerance - 8
            let old = try Authority.make(now: now - age)
            #expect(try await store.save(AuthorityState(current: old), replacing: nil))
            let both = try ["remora-0", "remora-1"].map { try Self.makeReplica($0, harness, .authority(store)) }
            let urls = both.flatMap(\.places.urls)
            try await harness.run(both.map(\.replica)) {
                // On a busy machine the next one may be beside it already.
                try await eventually("the first authority is known to everybody") {
                    Self.agentsBundle(harness.fake)?.contains(old.certificate) == true
                        && Self.serversBundle(harness.fake)?.contains(old.certificate) == true
                }
                for url in urls { try await eventually("\(url) answers") { await Self.canCheck(url, old.certificate) } }
                let prober = Prober(urls, harness.fake, agent: old.certificate)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { await prober.run() }
                    try await eventually("a new one is published beside it, and confirmed", within: .seconds(60)) {
                        try await store.load()?.state?.nextIsTrustedSince != nil
                    }
                    #expect(Self.certificates(Self.agentsBundle(harness.fake)) == 2)
                    #expect(Self.certificates(Self.serversBundle(harness.fake)) == 2)
                    prober.agentNowTrusts(Self.agentsBundle(harness.fake) ?? "")
                    let next = try #require(try await store.load()?.state?.next)
                    // Ten minutes pass.
                    try await eventually("the stored time is set back") {
                        guard let stored = try await store.load(), var state = stored.state else { return false }
                        state.nextIsTrustedSince = (state.nextIsTrustedSince ?? 0) - AuthorityRotation.settling - 1
                        return try await store.save(state, replacing: stored.version)
                    }
                    for url in urls {
                        try await eventually("\(url) shows a certificate of the new one", within: .seconds(60)) {
                            await Self.canCheck(url, next.certificate)
                        }
                    }
                    let after = try #require(try await store.load()?.state)
                    #expect(after.current == next)
                    #expect(after.former.map(\.fingerprint) == [old.fingerprint])
                    for url in urls { #expect(await !Self.canCheck(url, old.certificate)) }
                    let seen = prober.checks
                    try await eventually("everybody was asked once more") { prober.checks > seen + urls.count * 2 }
                    try await Self.forget(old, for: after.current, store, both.map(\.places), harness)
                    for url in urls { #expect(await Self.canCheck(url, after.current.certificate)) }
                    tasks.cancelAll()
                }
                #expect(prober.failures.isEmpty)
            }
        }
    }

    /// The former authority goes as soon as every agent has said that it trusts the new one, and not before.
    private static func forget(
        _ old: Authority,
        for new: Authority,
        _ store: ClusterAuthorityStore,
        _ places: [Places],
        _ harness: KubernetesHarness
    ) async throws {
        try await eventually("the time since then is set back") {
            guard let stored = try await store.load(), var state = stored.state, !state.former.isEmpty else {
                return false
            }
            state.former[0].since = (state.former[0].since ?? 0) - AuthorityRotation.settling
            return try await store.save(state, replacing: stored.version)
        }
        var leader: RunningCoordinator?
        for place in places {
            var running = RunningCoordinator(url: "https://127.0.0.1:\(place.agents)", directory: harness.directory)
            running.http = client(new.certificate)
            if try await running.call("GET", "/agent/v1/nothing").status == 404 { leader = running }
        }
        let coordinator = try #require(leader)
        var agent = try harness.agent(coordinator, pod: "mongo-0")
        agent.trusted = [old.fingerprint]
        try await agent.register()
        _ = try await agent.checkin()
        let person = harness.person()
        try await eventually("people are told of an agent that is behind") {
            let answer = try await coordinator.call("GET", UserAPI.statusPath, token: person)
            let status = try WireJSON.decode(StatusView.self, from: answer.body)
            let problems = status.targets.flatMap { $0.agents.flatMap(\.problems) }
            return problems.contains { $0.contains("does not trust the coordinator's present certificate authority") }
        }
        #expect(try await store.load()?.state?.former.map(\.fingerprint) == [old.fingerprint])
        agent.trusted = [new.fingerprint, old.fingerprint]
        _ = try await agent.checkin()
        try await eventually("the former one is trusted no more", within: .seconds(60)) {
            agentsBundle(harness.fake) == new.certificate && serversBundle(harness.fake) == new.certificate
        }
    }

    @Test("files that somebody else renews are what agents are told to trust", .timeLimit(.minutes(2)))
    func files() async throws {
        try await KubernetesHarness.run { harness in
            try await harness.makePod("mongo-0")
            try await Self.installWebhook(harness.fake)
            let now = CoordinatorCore.now().unixMs / 1000
            let names = Self.names
            @Sendable func renew(_ authority: Authority) throws {
                let pair = try authority.issue(names, now: now)
                // As kubelets do it: what a mounted Secret holds changes at once.
                let directory = harness.directory
                let folder = "tls-\(authority.fingerprint.prefix(8))"
                _ = try directory.makeDirectory(folder)
                for (name, text) in [("ca.crt", authority.certificate), ("tls.crt", pair.chain), ("tls.key", pair.key)]
                {
                    try directory.write(text, to: "\(folder)/\(name)")
                }
                let manager = FileManager.default
                try manager.createSymbolicLink(
                    atPath: directory.appending("next"),
                    withDestinationPath: directory.appending(folder)
                )
                try #require(rename(directory.appending("next"), directory.appending("tls")) == 0)
            }
            let (one, two) = (try Authority.make(now: now), try Authority.make(now: now))
            try renew(one)
            let files = CertificateFiles(
                certificate: harness.directory.appending("tls/tls.crt"),
                key: harness.directory.appending("tls/tls.key")
            )
            let (replica, places) = try Self.makeReplica(
                "remora-0",
                harness,
                .files(files),
                tls: (files.certificate, files.key)
            )
            try await harness.run([replica]) {
                try await eventually("agents may know it") { Self.agentsBundle(harness.fake) == one.certificate }
                for url in places.urls {
                    try await eventually("\(url) answers") { await Self.canCheck(url, one.certificate) }
                }
                try renew(two)
                try await eventually("agents may know the new one", within: .seconds(60)) {
                    Self.agentsBundle(harness.fake)?.hasPrefix(two.certificate) == true
                }
                for url in places.urls {
                    try await eventually("\(url) shows it") { await Self.canCheck(url, two.certificate) }
                }
                // Whoever renews the files tells the API server, too.
                #expect(Self.serversBundle(harness.fake)?.isEmpty ?? true)
                // People's programs look in the coordinator's own namespace.
                let own = harness.fake.object("configmaps", namespace: KubernetesHarness.system, name: "remora-ca")
                #expect(own?[path: "data", "ca.crt"]?.string == two.certificate)
            }
        }
    }
}
