import BackupModel
import Testing

@testable import RemoraCLI

@Suite("Pages")
struct PageTests {
    private func text(_ page: Page) -> String { page.rendered(colours: false) }

    @Test("status begins with what is wrong, why, and what to do")
    func statusWithProblems() {
        var target = Samples.target("demo", "shop", configurations: ["nightly"])
        target.lastPhase = .failed
        target.problems = ["the last backup failed"]
        var away = AgentView(pod: "mongo-2", version: "0.1.0", connected: false)
        away.lastSeen = Samples.moment("09:50:00")
        target.agents = [AgentView(pod: "mongo-1", version: "0.1.0", connected: true), away]
        var page = StatusPage(status: Samples.status([target]), url: "http://c", clock: .fixed)
        page.failures = [
            ResourceKey(namespace: "demo", name: "shop"): Samples.failed("StorageFull", "the disk is full")
        ]
        let lines = text(page.make()).split(separator: "\n").map(String.init)
        #expect(lines[0] == "2 problems")
        #expect(lines[1] == "  ! demo/shop: the last backup failed, now: the disk is full")
        #expect(lines[2] == "    -> remora describe shop-1 -n demo")
        #expect(lines[3] == "  ! demo/shop mongo-2: the agent is not connected, last heard of 10 min ago")
        #expect(lines.contains { $0.contains("1 of 2") })
        #expect(lines.last == "coordinator 0.1.0 at http://c, up 2 h, epoch 3")
    }

    @Test("status says when all is well")
    func statusWithoutProblems() {
        let target = Samples.target("demo", "shop", configurations: ["nightly"])
        let page = StatusPage(status: Samples.status([target]), url: "http://c", clock: .fixed).make()
        #expect(text(page).hasPrefix("All is well: 1 target, nothing needs you\n"))
    }

    @Test("describe tells the failure before anything else, and the end of the failed pod's log")
    func describeFailure() throws {
        let session = Samples.failed("TargetNotEmpty", "2 collections are there already", kind: .restore)
        let line = PodLogLine(
            pod: "mongo-1",
            line: LogLine(t: 0, level: "error", component: "restore", message: "evil \u{1b}[31m line")
        )
        let page = text(SessionPage.make(session, lastLines: ["mongo-1": [line]], clock: .fixed))
        let lines = page.split(separator: "\n")
        #expect(lines[0] == "restore demo/shop-1: Failed, 1 min")
        #expect(lines[1] == "TargetNotEmpty: 2 collections are there already")
        #expect(lines[2].contains("--drop"))
        #expect(lines.last == "  error   restore  evil \\u{1b}[31m line")
        #expect(!page.contains("\u{1b}"))
    }

    @Test("the end of a session says what it moved, what it promises and what to mind")
    func success() throws {
        var session = Samples.session(.succeeded)
        session.hosts[0].phase = .succeeded
        var result = BackupResult(
            engine: "mongodb",
            group: "rs0",
            host: "h:1",
            serverVersion: "6.0.5",
            guarantee: .groupCut,
            consistency: .lock,
            namespaces: 2,
            documents: 1234,
            bytes: 2 << 30
        )
        result.bytesAdded = 1 << 20
        result.warnings = ["slow"]
        session.manifest = BackupView(
            SessionManifest(
                session: Samples.key,
                configuration: "nightly",
                target: "shop",
                engine: "mongodb",
                startTime: Samples.moment("09:59:00"),
                endTime: Samples.moment("10:00:00"),
                cut: ClusterTime(t: UInt32(Samples.moment("09:59:59").unixMs / 1000), i: 7),
                guarantee: .groupCut,
                groups: [
                    SessionManifest.Group(
                        group: "rs0",
                        pod: "mongo-1",
                        jobID: "j",
                        fence: 1,
                        permit: "p",
                        snapshotID: String(repeating: "ab", count: 32),
                        result: result
                    )
                ],
                writtenBy: "0.1.0",
                requestedBy: nil
            )
        )
        let lines = text(SessionText.success(session, clock: .fixed)).split(separator: "\n")
        #expect(lines[0] == "backup demo/shop-1 succeeded in 1 min: 1,234 documents, 2.0 GiB, 1.0 MiB new")
        #expect(lines[1].hasPrefix("  restores to exactly 2026-08-22 11:59:59 CEST ("))
        #expect(lines[2] == "  warning: slow")
        #expect(SessionText.failure(session) == nil)
    }

    @Test("a session's end is the command's end")
    func sessionEnds() {
        func code(_ session: SessionView) -> Int32? { SessionText.failure(session)?.status.code }
        #expect(code(Samples.failed("TargetNotEmpty", "x", kind: .restore)) == 7)
        #expect(code(Samples.failed("DeadlineExceeded", "x")) == 1)
        #expect(code(Samples.failed("WrongPassword", "x")) == 8)
        #expect(code(Samples.session(.cancelled)) == 3)
        #expect(code(Samples.session(.skipped)) == 7)
        #expect(code(Samples.session(.succeeded)) == nil)
    }

    @Test("a plan shows members, last times and what to change; what stands in the way comes first")
    func plan() {
        var plan = BackupPlanView(namespace: "demo", configuration: "shop", target: "shop", repository: "demo/main")
        plan.topology = "replica set"
        var group = BackupPlanView.Group(name: "rs0", role: nil, reason: "mongo-1: a secondary, 0 s behind")
        group.pod = "mongo-1"
        group.host = "m1:27017"
        group.memberRole = .secondary
        group.consistency = .lock
        group.dataBytes = 5_000_000
        group.oplogWindowSeconds = 7200
        group.last = .init(
            session: "s",
            durationMs: 61_000,
            lockHeldMs: 59_000,
            bytes: 4_000_000,
            bytesAdded: 1_000_000
        )
        plan.groups = [group]
        plan.warnings = [.init(group: "rs0", message: "it may lose what is needed", advice: "enlarge it")]
        let page = text(PlanPage.make(plan))
        for part in [
            "backup demo/shop of shop, a replica set, into demo/main", "mongo-1", "m1:27017 (secondary)", "lock",
            "4.8 MiB",
            "2 h", "1 min 1 s", "59 s", "977 KiB", "a secondary, 0 s behind", "rs0: it may lose", "-> enlarge it",
        ] {
            #expect(page.contains(part), "\(part) in \(page)")
        }
        plan.obstacles = ["session demo/x uses the target"]
        plan.groups = []
        let lines = text(PlanPage.make(plan)).split(separator: "\n")
        #expect(lines[1].contains("! session demo/x uses the target"))
    }

    @Test("locks that are held come first, and one past its deadline says so")
    func locks() {
        func lock(_ host: String, deadline: String, ended: String? = nil, why: String? = nil) -> LockView {
            var view = LockView(
                session: "s",
                jobID: "j",
                pod: "p",
                host: host,
                since: Samples.moment("09:00:00"),
                deadline: Samples.moment(deadline),
                endedAt: ended.map(Samples.moment)
            )
            view.purpose = why
            return view
        }
        let page = text(
            SnapshotsPage.make(
                [
                    lock("old:1", deadline: "09:30:00", ended: "09:10:00"), lock("late:1", deadline: "09:59:00"),
                    lock("held:1", deadline: "10:30:00", why: "backup of demo/shop, by schedule"),
                ],
                clock: .fixed
            )
        )
        let states = page.split(separator: "\n").dropFirst().map { $0.split(separator: " ").prefix(2).map(String.init) }
        #expect(page.contains("backup of demo/shop, by schedule"))
        #expect(states == [["OVERDUE", "late:1"], ["held", "held:1"], ["released", "old:1"]])
    }
}
