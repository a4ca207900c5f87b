import BackupModel

@testable import Coordinator

/// A generator that gives the same numbers for the same seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// A protection that is taken away on purpose, to show that the simulation notices.
enum Breakage: String, CaseIterable {
    /// Nobody looks after locks whose agents are silent.
    case ledger
    /// The coordinator answers before its state is durable.
    case store
    /// An agent stops the balancer before the coordinator knows.
    case record
}

/// Everything of one seed: virtual time, the models, the network between them, and what is wrong with them.
final class World {
    private struct Event {
        var time: Int64
        var number: Int
        var action: () -> Void
    }

    /// One database process.
    final class Member {
        enum Lock: Equatable {
            case none
            case ours(job: String, since: Int64)
            case foreign
        }

        let host: String
        let group: String
        let role: MemberStatus.Role
        var lock = Lock.none
        var isDown = false

        init(_ host: String, _ group: String, _ role: MemberStatus.Role) {
            self.host = host
            self.group = group
            self.role = role
        }
    }

    let seed: UInt64
    let breakage: Breakage?
    var random: SeededGenerator
    /// Milliseconds that really went by; nobody in the world reads it but monotonic clocks.
    private(set) var now: Int64 = 0
    private var queue: [Event] = []
    private var number = 0
    private(set) var eventCount = 0
    var violation: String?
    var trace: [String] = []
    let isTracing: Bool

    var members: [Member] = []
    var shards: [ShardIdentity.Shard] = []
    /// Whether the balancer runs, whether it did when the world began, and how often it was turned.
    var isBalancerOn = true
    var balancerBegan = true
    var balancerTurns = 0
    var repository = RepositoryModel()
    var agents: [AgentModel] = []
    lazy var coordinator = CoordinatorModel(self, timings: Self.timings)
    /// From then on nothing breaks any more, so everything must come to its end.
    var healAt: Int64 = 0

    /// Shorter than in production, in the same order.
    private static var timings: SessionTimings {
        var timings = SessionTimings(leaseMs: 20_000, heartbeatMs: 4_000, maximumDisconnectedMs: 120_000)
        timings.agentWaitMs = 60_000
        timings.maximumTries = 4
        return timings
    }

    init(seed: UInt64, breakage: Breakage?, isTracing: Bool) {
        self.seed = seed
        self.breakage = breakage
        self.isTracing = isTracing
        random = SeededGenerator(state: seed)
    }

    var isHealed: Bool { now >= healAt }

    func say(_ text: @autoclosure () -> String) {
        if isTracing { trace.append("\(now) \(text())") }
    }

    func fail(_ text: String) {
        if violation == nil { violation = "at \(now) ms: \(text)" }
    }

    func chance(_ perMille: Int) -> Bool { Int.random(in: 0..<1000, using: &random) < perMille }

    func pick(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }

    // MARK: Time

    /// Later; a binary heap by time and then by order.
    func after(_ milliseconds: Int64, _ action: @escaping () -> Void) {
        number += 1
        queue.append(Event(time: now + max(0, milliseconds), number: number, action: action))
        var child = queue.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isEarlier(queue[child], queue[parent]) else { break }
            queue.swapAt(child, parent)
            child = parent
        }
    }

    private func isEarlier(_ left: Event, _ right: Event) -> Bool {
        (left.time, left.number) < (right.time, right.number)
    }

    private func takeNext() -> Event? {
        guard let first = queue.first else { return nil }
        let last = queue.removeLast()
        guard !queue.isEmpty else { return first }
        queue[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < queue.count {
                if isEarlier(queue[child], queue[least]) { least = child }
            }
            if least == parent { break }
            queue.swapAt(parent, least)
            parent = least
        }
        return first
    }

    /// Runs until everything is over and tidy, or something is wrong, or the time is up.
    func run(limit: Int64) {
        while violation == nil, let event = takeNext() {
            guard event.time <= limit else { break }
            now = event.time
            eventCount += 1
            event.action()
            checkAlways()
            if isHealed, isTidy { return }
        }
        if violation == nil { checkEnd() }
    }

    // MARK: Network

    /// From an agent to the coordinator and back: delayed, lost, repeated; nil is "no answer".
    func call(
        _ agent: AgentModel,
        timeout: Int64 = 12_000,
        _ request: @escaping (CoordinatorModel, @escaping (CoordinatorModel.Answer) -> Void) -> Void,
        _ then: @escaping (CoordinatorModel.Answer?) -> Void
    ) {
        let life = agent.life
        var isAnswered = false
        let conclude: (CoordinatorModel.Answer?) -> Void = { answer in
            guard !isAnswered, agent.life == life else { return }
            isAnswered = true
            then(answer)
        }
        after(timeout) { conclude(nil) }
        let copies = !isHealed && chance(20) ? 2 : 1
        for _ in 0..<copies {
            guard let delay = transit(agent) else { continue }
            after(delay) { [unowned self] in
                guard !agent.isCutOff, coordinator.isUp else { return }
                request(coordinator) { answer in
                    guard let delay = self.transit(agent) else { return }
                    self.after(delay) { if !agent.isCutOff { conclude(answer) } }
                }
            }
        }
    }

    /// How long a message takes; nil when it is lost.
    private func transit(_ agent: AgentModel) -> Int64? {
        if agent.isCutOff { return nil }
        if isHealed { return pick(1...50) }
        if chance(30) { return nil }
        // Now and then one is so late that many younger ones have overtaken it.
        return chance(15) ? pick(5_000...90_000) : pick(1...300)
    }

    // MARK: Databases

    func member(_ host: String) -> Member? { members.first { $0.host == host } }

    func primary(of group: String) -> Member? { members.first { $0.group == group && $0.role == .primary } }

    /// The newest operation of the groups: they share a cluster time.
    var clusterTime: ClusterTime { ClusterTime(t: UInt32(1000 + now / 1000), i: 1 + UInt32(now % 1000)) }

    func turnBalancer(_ isOn: Bool) {
        guard isBalancerOn != isOn else { return }
        isBalancerOn = isOn
        balancerTurns += 1
    }
}

/// What reached the repository.
struct RepositoryModel {
    struct StoredSnapshot {
        var session: String
        var group: String
        var jobID: String
        var fence: Int64
        var cut: ClusterTime?
    }

    var snapshots: [String: StoredSnapshot] = [:]
    var manifests: [String: SessionManifest] = [:]
}
