import BackupModel
import Testing

@testable import Coordinator

@Suite struct SessionClusterTests {
    @Test("config server first, shards when it is ready, one cut, a manifest that proves it")
    func goodBackup() throws {
        var session = ClusterHarness()
        session.begin()
        #expect(session.live == ["cfg"])
        session.beat("cfg")
        #expect(session.live == ["cfg"])
        session.beat("cfg", .ready, 10)
        #expect(session.live == ["cfg", "rs-a", "rs-b"])
        #expect(session.attempt("rs-a")?.pod == "rs-a-1")
        #expect(session.directive("cfg") == JobDirective())
        session.beat("rs-a", .finished, 20)
        session.beat("rs-b", .ready, 15)
        #expect(session.directive("cfg") == JobDirective())
        session.beat("rs-b", .finished, 30)
        #expect(session.directive("cfg") == JobDirective(othersFinished: true))
        #expect(session.directive("rs-a") == JobDirective())
        session.beat("cfg", .finished, 12)
        let cut = ClusterTime(t: 30, i: 1)
        for name in ["cfg", "rs-a", "rs-b"] {
            #expect(session.directive(name) == JobDirective(othersFinished: true, cut: cut))
        }
        for name in ["rs-b", "cfg", "rs-a"] { #expect(session.publish(name, cut: 30) == .permit("p-\(name)")) }
        #expect(session.base.effects == [.writeManifest])
        let manifest = try #require(ManifestMaker.make(session.state, writtenBy: "test"))
        #expect(manifest.cut == cut)
        #expect(manifest.guarantee == .clusterCut)
        #expect(manifest.groups.map(\.role) == [.configServer, .shard, .shard])
        #expect(manifest.groups.map(\.shard) == [nil, "a", "b"])
        #expect(manifest.cluster?.id == "c1")
        #expect(manifest.cluster?.rounds == 1)
        #expect(manifest.cluster?.shards == ClusterHarness.shards)
    }

    @Test("the part that a job is told of names its role, all shards and when its round began")
    func part() {
        var session = ClusterHarness()
        session.begin()
        let part = session.state.part(of: session.group("cfg"))
        #expect(part?.role == .configServer)
        #expect(part?.shards == ClusterHarness.shards)
        #expect(part?.begunMs == session.base.now.unixMs)
        let alone = SessionHarness()
        #expect(alone.state.part(of: GroupState(name: "rs0")) == nil)
        #expect(alone.state.directive(for: GroupState(name: "rs0")) == nil)
    }

    @Test("without locks, shards are told the config server's point to read at; one that is taken again tells its own")
    func oneTime() {
        for consistency: Consistency? in [.snapshot, .oplog, nil] {
            var session = ClusterHarness(consistency: consistency)
            session.begin()
            session.beat("cfg", .ready, 10)
            let point = consistency == .snapshot ? ClusterTime(t: 10, i: 1) : nil
            #expect(session.state.part(of: session.group("rs-a"))?.readAt == point)
            #expect(session.state.part(of: session.group("cfg"))?.readAt == nil)
            if consistency == .snapshot { #expect(session.attempt("rs-a")?.consistency == .snapshot) }
            session.fail("cfg")
            session.wait()
            session.beat("cfg", .ready, 14)
            let later = consistency == .snapshot ? ClusterTime(t: 14, i: 1) : nil
            #expect(session.state.part(of: session.group("rs-b"))?.readAt == later)
        }
    }

    @Test("late and repeated milestones change nothing, and the cut never moves")
    func stubborn() {
        var session = ClusterHarness()
        session.reachCut()
        session.beat("rs-a", .finished, 99)
        session.beat("rs-a", .ready, 5)
        #expect(session.state.cluster?.cut == ClusterTime(t: 30, i: 1))
        #expect(session.attempt("rs-a")?.milestone == JobMilestone(.finished, point: ClusterTime(t: 20, i: 1)))
    }

    @Test("nobody gets a permit before the cut is known, or for another cut")
    func permits() {
        var early = ClusterHarness()
        early.begin()
        early.beat("cfg", .ready, 10)
        guard case .refused(.contradiction(let why)) = early.prepareCommit("rs-a", cut: 20) else {
            Issue.record("a permit before the cut")
            return
        }
        #expect(why.contains("before the session's cut is known"))
        var session = ClusterHarness()
        session.reachCut()
        for cut: UInt32? in [20, 31, nil] {
            guard case .refused(.contradiction) = session.prepareCommit("rs-a", cut: cut) else {
                Issue.record("a permit for cut \(String(describing: cut))")
                return
            }
        }
        #expect(session.prepareCommit("rs-a", cut: 30) == .permit("p-rs-a"))
        // What is published must be what was permitted.
        let other = JobOutcome(backup: ClusterHarness.result("rs-a", cut: 31))
        session.base.send(.complete(session.call("rs-a"), other, logBytes: 0))
        #expect(session.state.stopping?.reason == "Protocol")
    }

    @Test("a job that is finished without a point can't have a cut")
    func pointless() {
        var session = ClusterHarness()
        session.begin()
        session.beat("cfg", .ready, 10)
        session.beat("rs-a", .finished)
        session.beat("rs-b", .finished, 30)
        session.beat("cfg", .finished, 12)
        #expect(session.state.stopping?.message.contains("rs-a named no point") == true)
    }

    @Test("a shard that fails before the cut is redone alone, and the cut is later")
    func redoneAlone() {
        var session = ClusterHarness()
        session.begin()
        session.beat("cfg", .ready, 10)
        session.beat("rs-a", .finished, 20)
        session.beat("rs-b", .ready, 15)
        let others = [session.call("cfg"), session.call("rs-a")]
        session.fail("rs-b")
        session.wait()
        #expect(session.live == ["cfg", "rs-a", "rs-b"])
        #expect([session.call("cfg"), session.call("rs-a")] == others)
        #expect(session.group("rs-b").fence == 2)
        session.beat("rs-b", .finished, 50)
        session.beat("cfg", .finished, 12)
        #expect(session.state.cluster?.cut == ClusterTime(t: 50, i: 1))
        #expect(session.state.cluster?.round == 1)
    }

    @Test("the config server's job that fails while shards run is redone alone; new shards wait for it")
    func configServerRedone() {
        var session = ClusterHarness()
        session.begin()
        session.beat("cfg", .ready, 10)
        session.beat("rs-a", .finished, 20)
        session.fail("cfg")
        session.fail("rs-b")
        session.wait()
        #expect(session.live == ["cfg", "rs-a"])
        #expect(session.group("cfg").fence == 2)
        session.beat("cfg", .ready, 40)
        #expect(session.live == ["cfg", "rs-a", "rs-b"])
        session.beat("rs-b", .finished, 45)
        session.beat("cfg", .finished, 50)
        #expect(session.state.cluster?.cut == ClusterTime(t: 50, i: 1))
    }

    @Test("a job that fails after the cut was given takes all groups into a new round")
    func newRound() throws {
        var session = ClusterHarness()
        session.reachCut()
        let old = ["cfg", "rs-a", "rs-b"].map(session.call)
        session.publish("rs-a", cut: 30)
        #expect(session.prepareCommit("cfg", cut: 30) == .permit("p-cfg"))
        session.fail("rs-b")
        // Who publishes right now may; nobody begins before all are over.
        #expect(session.attempt("cfg")?.desire == .run)
        session.wait()
        #expect(session.live == ["cfg"])
        #expect(session.directive("cfg")?.cut == nil)
        session.base.send(
            .complete(old[0], JobOutcome(backup: ClusterHarness.result("cfg", cut: 30)), logBytes: 0)
        )
        session.base.observe()
        #expect(session.state.cluster?.round == 2)
        #expect(session.state.cluster?.cut == nil)
        #expect(session.live.isEmpty)
        #expect(session.attempt("rs-a")?.failure?.code == "superseded")
        session.wait()
        #expect(session.live == ["cfg"])
        #expect(session.group("cfg").fence == 2)
        #expect(session.state.part(of: session.group("cfg"))?.begunMs ?? 0 > session.state.created.unixMs)
        session.beat("cfg", .ready, 100)
        session.beat("rs-a", .finished, 120)
        session.beat("rs-b", .finished, 110)
        session.beat("cfg", .finished, 105)
        #expect(
            session.base.send(.prepareCommit(old[1], ClusterHarness.result("rs-a", cut: 120), permit: "x"))
                == .refused(.fenced)
        )
        for name in ["cfg", "rs-a", "rs-b"] { #expect(session.publish(name, cut: 120) == .permit("p-\(name)")) }
        let manifest = try #require(ManifestMaker.make(session.state, writtenBy: "test"))
        #expect(manifest.cut == ClusterTime(t: 120, i: 1))
        #expect(manifest.cluster?.rounds == 2)
        #expect(manifest.groups.map(\.fence) == [2, 2, 2])
    }

    @Test("nobody gets a new permit while a round ends, and jobs that don't publish are told to stop")
    func endingRound() {
        var session = ClusterHarness()
        session.reachCut()
        session.fail("rs-b")
        #expect(session.beat("rs-a") == .desire(.cancel))
        #expect(session.prepareCommit("rs-a", cut: 30) == .refused(.stopping))
        session.fail("rs-a", "cancelled", isRetryable: false)
        #expect(session.attempt("rs-a")?.phase == .cancelled)
        #expect(session.state.stage == .running)
        session.fail("cfg", "cancelled", isRetryable: false)
        session.wait()
        #expect(session.live == ["cfg"])
        #expect(session.state.cluster?.round == 2)
    }

    @Test("once all shards were finished the balancer may be back, so a shard takes all into a new round")
    func closing() {
        var session = ClusterHarness()
        session.begin()
        session.beat("cfg", .ready, 10)
        session.beat("rs-a", .finished, 20)
        session.beat("rs-b", .finished, 30)
        session.fail("rs-b")
        #expect(session.state.cluster?.endingBecause != nil)
    }

    @Test("a layout that changed under the jobs takes all into a new round")
    func layoutChanged() {
        var session = ClusterHarness()
        session.begin()
        session.beat("cfg", .ready, 10)
        session.fail("cfg", SessionMachine.layoutFailures.first ?? "", isRetryable: true)
        #expect(session.state.cluster?.endingBecause != nil)
    }

    @Test("rounds are bounded as attempts are")
    func bounded() {
        var session = ClusterHarness(maximumAttempts: 2)
        session.reachCut()
        session.fail("rs-b")
        for name in ["cfg", "rs-a"] { session.fail(name, "cancelled", isRetryable: false) }
        session.wait()
        session.beat("cfg", .ready, 100)
        session.beat("rs-a", .finished, 120)
        session.beat("rs-b", .finished, 110)
        session.beat("cfg", .finished, 105)
        session.fail("rs-a")
        #expect(session.state.stage == .stopping)
        #expect(session.state.stopping?.reason == "DatabaseUnreachable")
    }

    @Test("a balancer that nobody has given back yet keeps the config server's job waiting")
    func stoppedBalancer() {
        var session = ClusterHarness()
        session.base.stoppedBalancer = "the balancer that job x stopped is not given back yet"
        session.begin()
        #expect(session.live.isEmpty)
        session.base.stoppedBalancer = nil
        session.base.observe()
        #expect(session.live == ["cfg"])
    }

    @Test("a cancelled session tells every job")
    func cancel() {
        var session = ClusterHarness()
        session.begin()
        session.beat("cfg", .ready, 10)
        session.base.send(.cancel(by: "ann"))
        for name in ["cfg", "rs-a", "rs-b"] { #expect(session.beat(name) == .desire(.cancel)) }
        for name in ["cfg", "rs-a", "rs-b"] { session.fail(name, "cancelled", isRetryable: false) }
        #expect(session.state.stage == .cleaning)
    }

    @Test("a restore begins with the config server, ends as the groups come, and knows the shards' names")
    func restore() {
        var session = ClusterHarness(kind: .restore)
        session.begin()
        #expect(session.live == ["cfg"])
        #expect(session.attempt("cfg")?.pod == "cfg-0")
        #expect(session.state.part(of: session.group("cfg"))?.shardNames == ["a": "a", "b": "b"])
        session.beat("cfg", .ready)
        #expect(session.live == ["cfg", "rs-a", "rs-b"])
        session.beat("rs-a", .finished)
        session.beat("rs-b", .finished)
        #expect(session.directive("cfg") == JobDirective(othersFinished: true))
        session.beat("cfg", .finished)
        #expect(session.directive("rs-a") == JobDirective(othersFinished: true))
        for name in ["rs-a", "rs-b", "cfg"] {
            session.base.send(
                .complete(session.call(name), JobOutcome(restore: RestoreResult(host: name)), logBytes: 0)
            )
        }
        #expect(session.state.outcome?.phase == .succeeded)
    }

    @Test("a session that was stored before it knew of clusters is read as it was")
    func stored() throws {
        var session = SessionHarness()
        session.assign()
        let text = String(decoding: try WireJSON.encode(session.state), as: UTF8.self)
        #expect(!text.contains("cluster") && !text.contains("milestone") && !text.contains("round"))
        #expect(try WireJSON.decode(SessionState.self, from: Array(text.utf8)) == session.state)
    }
}
