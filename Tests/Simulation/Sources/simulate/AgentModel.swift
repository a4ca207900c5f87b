import BackupModel

@testable import Agent
@testable import Coordinator

/// An agent around its real pure decisions (journal, job decision, lease clock, reasons to stop): process, notes, calls.
final class AgentModel {
    unowned let world: World
    let id: String
    let member: World.Member
    let isConfigServer: Bool

    // Durable.
    var journal = JournalContent()
    var lockNote: String?
    var balancerNote: String?

    // Of this life.
    private(set) var life = 0
    private(set) var isUp = false
    /// Its node is gone, and with it the member and everything durable.
    private(set) var isDead = false
    var isCutOff = false
    var run: RunModel?
    private var areLeftoversReleased = false
    private(set) var epoch: Int64 = 0
    private(set) var desired: [DesiredJob] = []
    private var isDelivering = false

    init(_ world: World, _ member: World.Member, isConfigServer: Bool) {
        self.world = world
        self.member = member
        self.isConfigServer = isConfigServer
        id = "agent-\(member.host)"
    }

    func say(_ text: @autoclosure () -> String) { world.say("\(id): \(text())") }

    /// Later, unless the process has died by then.
    func after(_ milliseconds: Int64, _ action: @escaping () -> Void) {
        let life = life
        world.after(milliseconds) { [unowned self] in if isUp, self.life == life { action() } }
    }

    // MARK: Life

    func start() {
        guard !isDead else { return }
        isUp = true
        life += 1
        run = nil
        desired = []
        areLeftoversReleased = false
        isDelivering = false
        epoch = 0
        journal.markRunningAsLost()
        say("starts, life \(life)")
        releaseLeftovers()
        after(world.pick(100...2_000)) { [unowned self] in checkin() }
        deliver()
    }

    func crash(forever: Bool = false) {
        guard isUp else { return }
        say(forever ? "its node is gone" : "crashes")
        isUp = false
        life += 1
        run = nil
        if forever {
            isDead = true
            // A lock dies with its server.
            member.isDown = true
            member.lock = .none
        } else {
            world.after(world.pick(500...90_000)) { [unowned self] in start() }
        }
    }

    /// The first act: what notes say that an earlier process left.
    private func releaseLeftovers() {
        if lockNote != nil, !member.isDown {
            if case .ours = member.lock { member.lock = .none }
            lockNote = nil
        }
        if balancerNote != nil, isConfigServerReachable {
            say("gives back the balancer by its note")
            world.turnBalancer(true)
            balancerNote = nil
        }
        areLeftoversReleased = lockNote == nil && balancerNote == nil
        if areLeftoversReleased { pump() } else { after(2_000) { [unowned self] in releaseLeftovers() } }
    }

    var isConfigServerReachable: Bool {
        world.members.contains { $0.role == .primary && $0.group == "cfg" && !$0.isDown }
    }

    // MARK: Check-in

    private var status: MemberStatus {
        var status = MemberStatus(isReachable: !member.isDown)
        status.role = member.role
        status.group = member.group
        status.host = member.host
        status.lagSeconds = 0
        status.priority = 1
        if member.role == .secondary { status.isLockable = true }
        switch member.lock {
        case .none: break
        case .ours(let job, _): status.lock = .init(isOurs: true, jobID: job)
        case .foreign: status.lock = .init(isOurs: false)
        }
        if !world.shards.isEmpty {
            status.sharding = ShardIdentity(
                clusterID: "c1",
                isConfigServer: isConfigServer,
                shard: isConfigServer ? nil : member.group,
                shards: isConfigServer ? world.shards : []
            )
        }
        return status
    }

    private func checkin() {
        let (status, reports, known) = (status, journal.reports, desired)
        let incarnation = "\(life)"
        world.call(
            self,
            { [unowned self] coordinator, reply in
                coordinator.checkin(self, incarnation, status, reports, known: known, reply)
            },
            { [unowned self] answer in
                if case .document(let epoch, let jobs)? = answer, epoch >= self.epoch {
                    self.epoch = epoch
                    desired = jobs
                    obey()
                    pump()
                    after(world.pick(1...50)) { [unowned self] in checkin() }
                } else {
                    after(world.pick(500...4_000)) { [unowned self] in checkin() }
                }
            }
        )
    }

    private func obey() {
        guard let run else { return }
        if let reason = JobDecision.stopReason(for: run.job.jobID, desired: desired) { run.requestStop(reason) }
        if let directive = desired.first(where: { $0.jobID == run.job.jobID })?.directive { run.told(directive) }
    }

    // MARK: Jobs

    /// Runs jobs one at a time, each at most once.
    func pump() {
        guard isUp, run == nil, areLeftoversReleased else { return }
        switch JobDecision.next(desired: desired, journal: journal) {
        case .wait: break
        case .start(let job):
            guard journal.begin(job, unixMs: 0) else { return }
            say("begins \(job.jobID.prefix(6)) fence \(job.fence)")
            let run = RunModel(self, job)
            self.run = run
            run.begin()
        case .reportCancelled(let job):
            guard journal.begin(job, unixMs: 0) else { return }
            journal.finish(job.jobID, JobOutcome(failure: StopReason.cancelled.failure()))
            deliver()
            after(1) { [unowned self] in pump() }
        }
    }

    func finished(_ run: RunModel, _ outcome: JobOutcome?) {
        say(
            "\(run.job.jobID.prefix(6)) is over: \(outcome?.failure?.code ?? (outcome == nil ? "nobody asks" : "good"))"
        )
        if let outcome { journal.finish(run.job.jobID, outcome) } else { journal.acknowledge(run.job.jobID) }
        self.run = nil
        // The note of what could not be released stays.
        if lockNote != nil || balancerNote != nil {
            areLeftoversReleased = false
            after(2_000) { [unowned self] in releaseLeftovers() }
        }
        deliver()
        pump()
    }

    /// Brings outcomes to the coordinator until it has them.
    func deliver() {
        guard isUp, !isDelivering, let entry = journal.undelivered.first, let outcome = entry.outcome else { return }
        isDelivering = true
        let call = JobCall(jobID: entry.jobID, fence: entry.fence, agentID: id)
        world.call(
            self,
            { coordinator, reply in coordinator.complete(call, outcome, reply) },
            { [unowned self] answer in
                isDelivering = false
                switch answer {
                case .accepted?, .refused?: journal.acknowledge(call.jobID)
                default: break
                }
                after(world.pick(10...3_000)) { [unowned self] in deliver() }
            }
        )
    }
}
