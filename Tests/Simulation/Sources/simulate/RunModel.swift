import BackupModel

@testable import Agent
@testable import Coordinator

/// One job on an agent: what an engine does to its member, in steps that anything may come between.
final class RunModel {
    private enum Step {
        case balancer, lock, ready, work, finished, permit, publish, ending, over
    }

    private static let origin = ContinuousClock.now

    unowned let agent: AgentModel
    let job: DesiredJob
    private var world: World { agent.world }
    private var step = Step.balancer
    private var lease: LeaseClock
    private var leaseRenewedAt: Int64
    private let leaseMs: Int64
    private var stop: StopReason?
    private var failure: JobFailure?
    private(set) var directive: JobDirective
    private var milestone: JobMilestone?
    private var lockReport: LockReport?
    private var balancerReport: BalancerReport?
    private(set) var holdsLock = false
    private(set) var stoppedBalancer = false
    private(set) var isReleasing = false
    private var budgetMs = Int64(0)
    private var budgetEnd = Int64.max
    private var turnsAfterStop: Int?
    private var point: ClusterTime?
    private var result: BackupResult?
    /// Grows with every report that the coordinator should have before anything goes on.
    private var reported = 0
    private var confirmed = 0
    private var isHeartbeating = false
    private var isBusy = false

    init(_ agent: AgentModel, _ job: DesiredJob) {
        self.agent = agent
        self.job = job
        leaseMs = agent.world.coordinator.timings.leaseMs
        leaseRenewedAt = agent.world.now
        directive = job.directive ?? JobDirective()
        lease = LeaseClock(
            lease: .milliseconds(leaseMs),
            maxDisconnected: .milliseconds(agent.world.coordinator.timings.maximumDisconnectedMs),
            at: Self.origin + .milliseconds(agent.world.now)
        )
    }

    private var part: ClusterPart? { job.work.backup?.cluster ?? job.work.restore?.cluster }
    private var isBackup: Bool { job.work.backup != nil }
    /// When the lock must be gone by the agent's own clock.
    var mustBeFreeAt: Int64 { min(budgetEnd, leaseRenewedAt + leaseMs) }

    func begin() {
        heartbeat()
        watch()
        advance()
    }

    func requestStop(_ reason: StopReason) {
        guard stop == nil, step != .over else { return }
        stop = reason
        advance()
    }

    func told(_ directive: JobDirective) {
        self.directive = directive
        advance()
    }

    // MARK: Heartbeats

    private func heartbeat() {
        guard step != .over, !isHeartbeating else { return }
        isHeartbeating = true
        let (sentAt, version) = (world.now, reported)
        let call = JobCall(jobID: job.jobID, fence: job.fence, agentID: agent.id)
        var pulse = JobPulse(progress: JobProgress())
        pulse.lock = lockReport
        pulse.balancer = balancerReport
        pulse.milestone = milestone
        let epoch = agent.epoch
        world.call(
            agent,
            timeout: 6_000,
            { coordinator, reply in coordinator.heartbeat(call, epoch: epoch, pulse, reply) },
            { [self] answer in heard(answer, sentAt, version) }
        )
    }

    private func heard(_ answer: CoordinatorModel.Answer?, _ sentAt: Int64, _ version: Int) {
        guard agent.run === self else { return }
        isHeartbeating = false
        var wait = world.pick(500...2_000)
        switch answer {
        case .desire(_, let desire)?:
            lease.renew(sentAt: Self.origin + .milliseconds(sentAt), lease: .milliseconds(leaseMs))
            leaseRenewedAt = max(leaseRenewedAt, sentAt)
            confirmed = max(confirmed, version)
            wait = confirmed < reported ? 1 : 4_000
            if desire == .cancel { requestStop(.cancelled) }
            if desire == .abort { requestStop(.aborted) }
        case .refused?:
            requestStop(.superseded)
        default:
            break
        }
        advance()
        agent.after(wait) { [self] in if agent.run === self { heartbeat() } }
    }

    /// Something that the coordinator should know at once.
    private func report() {
        reported += 1
        agent.after(1) { [self] in if agent.run === self { heartbeat() } }
    }

    private func reach(_ stage: JobMilestone.Stage, _ point: ClusterTime?) {
        milestone = JobMilestone(stage, point: isBackup ? point : nil)
        report()
    }

    private func watch() {
        guard agent.run === self, step != .over else { return }
        switch lease.standing(at: Self.origin + .milliseconds(world.now)) {
        case .held: break
        case .lapsed:
            letGo("lease lapsed")
            if job.work.restore != nil { requestStop(.leaseLapsed) }
        case .disconnected:
            letGo("disconnected")
            requestStop(.disconnected)
        }
        if world.now >= budgetEnd { unlock("budget used up") }
        agent.after(500) { [self] in watch() }
    }

    // MARK: What must be undone

    private func letGo(_ reason: String) {
        unlock(reason)
        giveBack(reason)
    }

    private func unlock(_ reason: String) {
        guard holdsLock, !isReleasing else { return }
        isReleasing = true
        agent.after(world.pick(1...300)) { [self] in
            isReleasing = false
            guard agent.run === self, holdsLock else { return }
            if agent.member.isDown { return }
            switch agent.member.lock {
            case .ours(let job, _) where job == self.job.jobID: agent.member.lock = .none
            case .foreign: world.say("a foreign lock is left alone")
            default: break
            }
            holdsLock = false
            agent.lockNote = nil
            lockReport?.isHeld = false
            lockReport?.endReason = reason
            reported += 1
            advance()
        }
    }

    private func giveBack(_ reason: String) {
        guard stoppedBalancer, agent.isConfigServerReachable else { return }
        world.turnBalancer(true)
        stoppedBalancer = false
        agent.balancerNote = nil
        balancerReport?.isStopped = false
        balancerReport?.endReason = reason
        reported += 1
    }

    // MARK: Steps

    private func work(_ range: ClosedRange<Int64>, then next: Step) {
        isBusy = true
        agent.after(world.pick(range)) { [self] in
            guard agent.run === self else { return }
            isBusy = false
            if step != .ending, step != .over { step = next }
            advance()
        }
    }

    private func broke(_ code: String) {
        if failure == nil { failure = JobFailure(code: code, message: code, isRetryable: true) }
        step = .ending
        advance()
    }

    /// Goes on as far as it can; called whenever something changed.
    func advance() {
        guard agent.run === self, step != .over else { return }
        if stop != nil || step == .ending { return end() }
        guard !isBusy else { return }
        if agent.member.isDown { return broke("databaseUnreachable") }
        if !world.isHealed, world.chance(4) { return broke("databaseUnreachable") }
        switch step {
        case .balancer: balancer()
        case .lock: lock()
        case .ready:
            if part?.role == .configServer {
                if milestone == nil { reach(.ready, world.clusterTime) }
                guard directive.othersFinished else { return }
            }
            work(2_000...40_000, then: .finished)
            step = .work
        case .work: break
        case .finished: finish()
        case .permit: askPermit()
        case .publish: publish()
        case .ending, .over: break
        }
    }

    /// Whether the coordinator has what was reported, and the lease stands: what outlives the agent may be done.
    private var isRecorded: Bool {
        (confirmed >= reported || world.breakage == .record)
            && lease.standing(at: Self.origin + .milliseconds(world.now)) == .held
    }

    private func balancer() {
        if let release = job.work.release { return self.release(release) }
        guard part?.role == .configServer else {
            step = .lock
            return advance()
        }
        if balancerReport == nil {
            guard agent.isConfigServerReachable else { return broke("databaseUnreachable") }
            guard world.isBalancerOn else {
                turnsAfterStop = world.balancerTurns
                step = .lock
                return advance()
            }
            agent.balancerNote = job.jobID
            balancerReport = BalancerReport(configServer: "cfg", isStopped: true, wasOn: true, remainingMs: 600_000)
            report()
        }
        // Before it is done: the note on disk and the record in the ledger.
        guard isRecorded else { return }
        stoppedBalancer = true
        agent.say("stops the balancer")
        world.turnBalancer(false)
        turnsAfterStop = world.balancerTurns
        if world.strikeNow(agent) { return }
        work(50...3_000, then: .lock)
    }

    private func lock() {
        guard isBackup, agent.member.role == .secondary else {
            point = world.clusterTime
            step = .ready
            return advance()
        }
        if case .foreign = agent.member.lock { return broke("foreignLock") }
        if !holdsLock {
            if lockReport == nil {
                agent.lockNote = job.jobID
                budgetMs = world.pick(20_000...120_000)
                lockReport = LockReport(
                    host: agent.member.host,
                    isHeld: true,
                    remainingMs: budgetMs,
                    point: world.clusterTime
                )
                report()
            }
            guard isRecorded else { return }
            budgetEnd = world.now + budgetMs
            agent.member.lock = .ours(job: job.jobID, since: world.now)
            holdsLock = true
            if world.strikeNow(agent) { return }
        }
        point = world.clusterTime
        work(1...200, then: .ready)
    }

    private func finish() {
        if holdsLock {
            unlock("dump finished")
            return
        }
        if let turnsAfterStop, part?.role == .configServer, turnsAfterStop != world.balancerTurns {
            return broke("layoutChanged")
        }
        if part != nil, milestone?.stage != .finished { reach(.finished, world.clusterTime) }
        if part == nil {
            step = isBackup ? .permit : .publish
            return advance()
        }
        if isBackup {
            guard directive.cut != nil else { return }
            step = .permit
        } else {
            guard directive.othersFinished else { return }
            step = .publish
        }
        advance()
    }

    private func askPermit() {
        var result = BackupResult(
            engine: "mongodb",
            group: agent.member.group,
            host: agent.member.host,
            serverVersion: "6.0.5",
            guarantee: part == nil ? .groupCut : .clusterCut,
            consistency: .lock,
            namespaces: 1,
            documents: 1,
            bytes: 1
        )
        result.cut = part == nil ? point : directive.cut
        result.lock = lockReport
        self.result = result
        isBusy = true
        let call = JobCall(jobID: job.jobID, fence: job.fence, agentID: agent.id)
        world.call(
            agent,
            { coordinator, reply in coordinator.prepareCommit(call, result, reply) },
            { [self] answer in
                guard agent.run === self else { return }
                isBusy = false
                switch answer {
                case .permit?: step = .publish
                case .refused(.contradiction)?, .refused(.stopping)?: return broke("refused")
                case .refused?: stop = stop ?? .superseded
                default: return agent.after(world.pick(200...3_000)) { [self] in advance() }
                }
                advance()
            }
        )
    }

    private func publish() {
        if isBackup, var result {
            if !world.isHealed, world.chance(30) { return broke("storageUnavailable") }
            result.snapshotID = "snapshot-\(job.jobID)"
            self.result = result
            world.repository.snapshots["snapshot-\(job.jobID)"] = .init(
                session: job.session,
                group: agent.member.group,
                jobID: job.jobID,
                fence: job.fence,
                cut: result.cut
            )
        }
        step = .ending
        isBusy = true
        agent.after(world.pick(1...500)) { [self] in
            isBusy = false
            advance()
        }
    }

    /// On every way out: unlock, give back, then say how it ended.
    private func end() {
        step = .ending
        guard !isBusy || stop != nil || failure != nil else { return }
        if holdsLock, !agent.member.isDown {
            unlock("over")
            return
        }
        if !holdsLock, lockReport?.isHeld == true {
            // It was noted, and not yet asked for.
            agent.lockNote = nil
            lockReport?.isHeld = false
        }
        if stoppedBalancer { giveBack("session done") }
        if !stoppedBalancer, balancerReport?.isStopped == true {
            // It was noted, and not yet stopped.
            agent.balancerNote = nil
            balancerReport?.isStopped = false
        }
        if stoppedBalancer {
            if failure == nil { failure = JobFailure(code: "balancerStuck", message: "", isRetryable: true) }
        }
        step = .over
        agent.finished(self, outcome)
    }

    private var outcome: JobOutcome? {
        var outcome = JobOutcome()
        if let stop {
            guard let failure = stop.failure() else { return nil }
            outcome.failure = failure
        } else if let failure {
            outcome.failure = failure
        } else if isBackup {
            outcome.backup = result
        } else if job.work.restore != nil {
            outcome.restore = RestoreResult(host: agent.member.host)
        }
        outcome.lock = lockReport
        outcome.balancer = balancerReport
        return outcome
    }

    /// What another agent's job left.
    private func release(_ spec: ReleaseSpec) {
        if spec.kind == .balancer {
            guard agent.isConfigServerReachable else { return broke("databaseUnreachable") }
            agent.say("gives back the balancer of job \(spec.ownerJobID.prefix(6))")
            world.turnBalancer(true)
        } else if let member = world.member(spec.host) {
            guard !member.isDown else { return broke("databaseUnreachable") }
            switch member.lock {
            case .ours(let job, _) where job == spec.ownerJobID: member.lock = .none
            case .ours, .foreign, .none: agent.say("finds no lock of job \(spec.ownerJobID.prefix(6))")
            }
        }
        step = .ending
        advance()
    }
}
