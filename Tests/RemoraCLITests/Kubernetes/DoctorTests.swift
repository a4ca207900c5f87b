import BackupModel
import Injector
import Kubernetes
import Testing

@testable import RemoraCLI

@Suite("What the doctor makes of facts")
struct DoctorTests {
    /// One thing that is wrong, and what has to be said about it.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var check: String
        var level: Finding.Level
        var message: String
        var fix: String
        var spoil: @Sendable (inout ClusterFacts) -> Void

        init(
            _ description: String,
            _ check: String,
            _ level: Finding.Level,
            _ message: String,
            fix: String = "",
            _ spoil: @escaping @Sendable (inout ClusterFacts) -> Void
        ) {
            testDescription = description
            self.check = check
            self.level = level
            self.message = message
            self.fix = fix
            self.spoil = spoil
        }
    }

    @Test("a cluster in which nothing is wrong gets no warning and no failure, and every check says so")
    func healthy() {
        let findings = DoctorCheck.run(ClusterSamples.facts())
        #expect(findings.filter { $0.level != .ok } == [])
        #expect(Set(findings.map(\.check)) == Set(DoctorCheck.all.map(\.name)))
        let page = DoctorPage.make(findings).rendered(colours: false)
        #expect(page.hasSuffix("\nAll is well\n"))
    }

    @Test("one thing that is wrong is told, with what mends it, and nothing else", arguments: installation + databases)
    func spoiled(_ spoiled: Case) throws {
        var facts = ClusterSamples.facts()
        spoiled.spoil(&facts)
        let bad = DoctorCheck.run(facts).filter { $0.level != .ok }
        let finding = try #require(bad.first)
        #expect(bad.count == 1, "\(bad)")
        #expect(finding.check == spoiled.check && finding.level == spoiled.level)
        #expect(finding.message.contains(spoiled.message))
        #expect((finding.fix ?? "").contains(spoiled.fix))
    }

    static let installation = [
        Case("a server without native sidecars", "api-server", .warn, "plain containers", fix: "1.29") {
            $0.server = .found(["gitVersion": "v1.28.3", "major": "1", "minor": "28+"])
        },
        Case("a definition that isn't there", "definitions", .fail, "not installed", fix: "kubectl apply") {
            $0.definitions["repositories"] = .missing
        },
        Case("a definition that doesn't serve our version", "definitions", .fail, "does not serve v1alpha1") {
            $0.definitions["repositories"] = .found(["spec": ["versions": [["name": "v1", "served": true]]]])
        },
        Case("a definition whose names are taken", "definitions", .fail, "names in use", fix: "kubectl describe crd") {
            let refused: JSONTree = ["type": "NamesAccepted", "status": "False", "message": "names in use"]
            $0.definitions["repositories"] = .found(
                ClusterSamples.definition.with("status", "conditions", value: [refused])
            )
        },
        Case("a definition of another version", "definitions", .warn, "that of version 9.9", fix: "apply") {
            let label: JSONTree = ["app.kubernetes.io/version": "9.9"]
            $0.definitions["repositories"] = .found(ClusterSamples.definition.with("metadata", "labels", value: label))
        },
        Case("a definition that may not be seen", "definitions", .warn, "can't be looked at: no right", fix: "right") {
            $0.definitions["repositories"] = .denied("no right")
        },
        Case("a leader that is silent", "leader", .fail, "was last heard of 5 min ago", fix: "kubectl logs") {
            $0.lease = .found(ClusterSamples.lease(renewed: "2026-08-22T09:55:00.000000Z"))
        },
        Case("a leader that gave up", "leader", .fail, "nobody leads") {
            $0.lease = .found(ClusterSamples.lease().with("spec", "holderIdentity", value: ""))
        },
        Case("a leader without its label", "leader", .fail, "leads agents nowhere") {
            $0.coordinators = .found([PodFacts(ClusterSamples.coordinator(leads: false))])
        },
        Case("a right that is missing", "permissions", .fail, "may not watch pods, which it needs to find pods") {
            $0.rights[0].allowed = .found(false)
        },
        Case("rights that may not be asked for", "permissions", .warn, "no right to ask") {
            $0.rights = [($0.rights[0].right, .denied("no right to ask"))]
        },
        Case("no webhook", "webhook", .fail, "no pod gets an agent", fix: "kubectl apply") { $0.webhook = .missing },
        Case("a webhook of another service", "webhook", .fail, "asks Service remora-system/other") {
            $0.webhook = .found(ClusterSamples.webhook(service: "other"))
        },
        Case("a webhook without authority", "webhook", .fail, "no caBundle", fix: "kubectl logs") {
            $0.webhook = .found(ClusterSamples.webhook(bundle: ""))
        },
        Case("a webhook with another authority", "webhook", .fail, "is not the coordinator's authority") {
            $0.webhook = .found(
                ClusterSamples.webhook(bundle: ClusterSamples.authority.replacing("QUJD", with: "WFla"))
            )
        },
        Case("no authority", "webhook", .fail, "no ConfigMap 'remora-ca'") { $0.authority = .missing },
        Case("a webhook that doesn't answer", "injection", .fail, "gets none: the webhook does not answer") {
            $0.trial = .found(PodFacts(ClusterSamples.pod().with("spec", "initContainers", value: nil)))
        },
        Case("a webhook that refuses", "injection", .fail, "refuses to add an agent in namespace shop: no luck") {
            $0.trial = .found(PodFacts(ClusterSamples.pod(annotations: [AgentMark.injectError: "no luck"])))
        },
        Case("another webhook that strips restartPolicy", "injection", .fail, "pods would never start", fix: "sidecar=")
        {
            $0.trial = .found(PodFacts(stripped))
        },
        Case("a pod that may not be tried", "injection", .warn, "can't be tried in namespace shop: no right") {
            $0.trial = .denied("no right")
        },
        Case("a clock that is wrong", "clock", .warn, "5 min away", fix: "timedatectl") {
            $0.serverTime = Samples.moment("09:55:00")
            $0.lease = .found(ClusterSamples.lease(renewed: "2026-08-22T09:54:58.000000Z"))
        },
    ]

    static var stripped: JSONTree {
        ClusterSamples.pod().with(
            "spec",
            "initContainers",
            value: [["name": "remora-agent", "image": .string(ClusterSamples.image)]]
        )
    }

    static let databases = [
        Case("a namespace that wants no agents", "namespaces", .fail, "keeps agents out, and 1 pod", fix: "injection-")
        {
            $0.namespaces["shop"] = .found(["metadata": ["labels": ["remora.dev/injection": "disabled"]]])
        },
        Case("root where Pod Security is restricted", "namespaces", .fail, "runs as root", fix: "remora.dev/run-as") {
            let labels: JSONTree = ["pod-security.kubernetes.io/enforce": "restricted"]
            $0.namespaces["shop"] = .found(["metadata": ["labels": labels]])
            $0.pods = .found([PodFacts(ClusterSamples.pod(annotations: [Annotation.runAs.name: "0:0"]))])
        },
        Case("no pods", "pods", .warn, "no pod asks for an agent", fix: "remora enroll") {
            $0.pods = .found([])
            $0.namespaces = [:]
        },
        Case("a pod that the webhook refused", "pods", .fail, "it got no agent: two databases", fix: "remora enroll") {
            $0.pods = .found([PodFacts(ClusterSamples.pod(annotations: [AgentMark.injectError: "two databases"]))])
        },
        Case(
            "a pod that the webhook missed",
            "pods",
            .fail,
            "while the webhook did not answer",
            fix: "kubectl rollout restart statefulset/mongo -n shop"
        ) {
            $0.pods = .found([PodFacts(ClusterSamples.pod().with("spec", "initContainers", value: nil))])
        },
        Case(
            "a pod whose agent lost its restartPolicy",
            "pods",
            .fail,
            "waits for it for ever",
            fix: "sidecar=container"
        ) {
            $0.pods = .found([PodFacts(stripped)])
        },
        Case("an image that can't be pulled", "pods", .fail, "ErrImagePull: not found", fix: "kubectl describe pod") {
            let waiting: JSONTree = ["waiting": ["reason": "ErrImagePull", "message": "not found"]]
            let status: JSONTree = ["name": "remora-agent", "ready": false, "restartCount": 0, "state": waiting]
            $0.pods = .found([
                PodFacts(ClusterSamples.pod().with("status", "initContainerStatuses", value: [status]))
            ])
        },
        Case("an agent that starts again and again", "pods", .warn, "started 7 times again", fix: "--previous") {
            let running: JSONTree = ["running": ["startedAt": "2026-08-22T09:00:00Z"]]
            let status: JSONTree = ["name": "remora-agent", "ready": true, "restartCount": 7, "state": running]
            $0.pods = .found([
                PodFacts(ClusterSamples.pod().with("status", "initContainerStatuses", value: [status]))
            ])
        },
        Case("an agent of an old image", "pods", .warn, "new pods get", fix: "remora agents upgrade") {
            let old = ClusterSamples.pod().with(
                "spec",
                "initContainers",
                value: [["name": "remora-agent", "image": "remora-agent:0.0.9", "restartPolicy": "Always"]]
            )
            $0.pods = .found([PodFacts(old)])
        },
        Case("no credentials", "credentials", .fail, "there is no such secret", fix: "--from-literal=username=…") {
            $0.secrets["shop/mongo-backup"] = .missing
        },
        Case("credentials without a password", "credentials", .fail, "lacks password and has username") {
            $0.secrets["shop/mongo-backup"] = .found(["username"])
        },
        Case("credentials under other names", "credentials", .fail, "lacks MONGO_USER, MONGO_PASSWORD") {
            let keys = [Annotation.credentialsKeys.name: "username=MONGO_USER,password=MONGO_PASSWORD"]
            $0.pods = .found([PodFacts(ClusterSamples.pod(annotations: keys))])
        },
        Case("an authority that isn't there", "credentials", .fail, "no such secret", fix: "--from-file=ca.crt") {
            $0.pods = .found([PodFacts(ClusterSamples.pod(annotations: [Annotation.tlsSecret.name: "tls"]))])
            $0.secrets["shop/tls"] = .missing
        },
        Case("credentials that may not be seen", "credentials", .warn, "can't be looked at: no right") {
            $0.secrets["shop/mongo-backup"] = .denied("no right")
        },
        Case(
            "a repository without its secret",
            "repositories",
            .fail,
            "'storage' does not exist",
            fix: "RESTIC_PASSWORD=…"
        ) {
            $0.repositories = .found([.init(object: ClusterSamples.repository, keys: .missing)])
        },
        Case("a repository whose secret lacks a key", "repositories", .fail, "lacks AWS_SECRET_ACCESS_KEY") {
            let keys: Set = ["RESTIC_PASSWORD", "AWS_ACCESS_KEY_ID"]
            $0.repositories = .found([.init(object: ClusterSamples.repository, keys: .found(keys))])
        },
        Case(
            "a repository whose secret the coordinator may not read",
            "repositories",
            .fail,
            "may not read its secret",
            fix: "kubectl create role remora-storage -n shop"
        ) {
            let keys: Set = ["RESTIC_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
            $0.repositories = .found([
                .init(object: ClusterSamples.repository, keys: .found(keys), isReadable: .found(false))
            ])
        },
        Case("a repository that can't be reached", "repositories", .fail, "Ready is False: no route", fix: "describe") {
            let condition: JSONTree = ["type": "Ready", "status": "False", "message": "no route"]
            let object = ClusterSamples.repository.with("status", "conditions", value: [condition])
            let keys: Set = ["RESTIC_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
            $0.repositories = .found([.init(object: object, keys: .found(keys))])
        },
        Case("a coordinator that doesn't answer", "agents", .fail, "nobody answers", fix: "kubectl logs") {
            $0.status = .failed("nobody answers")
        },
        Case("a coordinator that may not be asked", "agents", .warn, "could not be asked: no token") {
            $0.status = .denied("no token")
        },
        Case("an agent that nobody knows", "agents", .fail, "never heard of it", fix: "-c remora-agent") {
            $0.status = .found(ClusterSamples.status([]))
        },
        Case("an agent that is away", "agents", .fail, "not connected, last heard of 10 min ago") {
            var agent = ClusterSamples.agent()
            agent.connected = false
            agent.lastSeen = Samples.moment("09:50:00")
            $0.status = .found(ClusterSamples.status([agent]))
        },
        Case("a database that refuses the agent", "agents", .fail, "log-in failed") {
            var agent = ClusterSamples.agent()
            agent.databaseReachable = false
            agent.problems = ["log-in failed"]
            $0.status = .found(ClusterSamples.status([agent]))
        },
        Case("a member far behind", "agents", .warn, "5 min behind the primary") {
            var agent = ClusterSamples.agent()
            agent.lag = 300
            $0.status = .found(ClusterSamples.status([agent]))
        },
        Case("a target without a good backup", "targets", .warn, "no good backup", fix: "remora backup nightly -n shop")
        {
            var status = ClusterSamples.status()
            status.targets[0].problems = ["there is no good backup yet"]
            $0.status = .found(status)
        },
        Case("a coordinator of another version", "coordinator", .warn, "of version 0.0.1") {
            var status = ClusterSamples.status()
            status.version = "0.0.1"
            $0.status = .found(status)
        },
    ]

    @Test("an API server that doesn't answer is the only finding: nothing else could be known")
    func unreachable() {
        var facts = ClusterFacts()
        facts.server = .failed("cannot read the server's version: no connection")
        let findings = DoctorCheck.run(facts)
        #expect(findings.map(\.check) == ["api-server"])
        #expect(findings.map(\.level) == [.fail])
    }

    @Test("only what belongs to a target is looked at when it is named")
    func narrowed() {
        var facts = ClusterSamples.facts()
        let other = ClusterSamples.pod("other-0").with("metadata", "labels", value: ["remora.dev/cluster": "other"])
            .with("spec", "initContainers", value: nil)
        facts.pods = .found([PodFacts(ClusterSamples.pod()), PodFacts(other)])
        #expect(DoctorCheck.run(facts).contains { $0.subject == "shop/other-0" && $0.level == .fail })
        let narrowed = facts.narrowed(to: ResourceKey(namespace: "shop", name: "mongo"))
        #expect(DoctorCheck.run(narrowed).filter { $0.level != .ok } == [])
    }

    @Test("the page puts a fix under its finding, as the person would type it")
    func page() {
        var facts = ClusterSamples.facts()
        facts.pods = .found([])
        facts.namespaces = [:]
        let page = DoctorPage.make(DoctorCheck.run(facts)).spoken(as: "kubectl remora")
        let text = page.rendered(colours: false)
        #expect(text.contains("warn pods          no pod asks for an agent\n"))
        #expect(text.contains("-> kubectl remora enroll statefulset/NAME -n NAMESPACE\n"))
        #expect(text.hasSuffix("1 warning, nothing is broken\n"))
    }
}
