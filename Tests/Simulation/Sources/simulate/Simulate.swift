import Foundation
import Synchronization

/// `simulate [--seed N] [--seeds COUNT] [--first N] [--break NAME]`: plays seeds, says which one broke what.
@main struct Simulate {
    static func main() async {
        var arguments = Array(CommandLine.arguments.dropFirst())
        func option(_ name: String) -> String? {
            guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return nil }
            defer { arguments.removeSubrange(index...index + 1) }
            return arguments[index + 1]
        }
        var breakage: Breakage?
        if let name = option("--break") {
            breakage = Breakage(rawValue: name)
            guard breakage != nil else {
                print("--break \(name): allowed are \(Breakage.allCases.map(\.rawValue).joined(separator: ", "))")
                exit(2)
            }
        }
        if let seed = option("--seed").flatMap(UInt64.init) { exit(replay(seed, breakage) ? 0 : 1) }
        let count = option("--seeds").flatMap(UInt64.init) ?? 20_000
        let first = option("--first").flatMap(UInt64.init) ?? 0
        guard arguments.isEmpty else {
            print("unknown: \(arguments.joined(separator: " "))")
            exit(2)
        }
        exit(await play(first..<(first + count), breakage) ? 0 : 1)
    }

    /// One seed with everything that happens in it.
    static func replay(_ seed: UInt64, _ breakage: Breakage?) -> Bool {
        let world = World(seed: seed, breakage: breakage, isTracing: true)
        world.play()
        for line in world.trace { print(line) }
        print("seed \(seed): \(world.violation ?? "every invariant holds") (\(world.eventCount) events)")
        return world.violation == nil
    }

    private struct Tally {
        var next: UInt64
        var events = 0
        var outcomes: [String: Int] = [:]
        var rounds = 0
        var failed: [(UInt64, String)] = []
    }

    /// What all cores write to.
    private final class Board: Sendable {
        let tally: Mutex<Tally>
        init(first: UInt64) { tally = Mutex(Tally(next: first)) }
    }

    /// Many seeds on all cores.
    static func play(_ seeds: Range<UInt64>, _ breakage: Breakage?) async -> Bool {
        let began = ContinuousClock.now
        let board = Board(first: seeds.lowerBound)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, ProcessInfo.processInfo.activeProcessorCount) {
                group.addTask {
                    while let seed = board.tally.withLock({ tally -> UInt64? in
                        guard tally.next < seeds.upperBound, tally.failed.count < 5 else { return nil }
                        defer { tally.next += 1 }
                        return tally.next
                    }) {
                        let world = World(seed: seed, breakage: breakage, isTracing: false)
                        world.play()
                        let (outcomes, rounds) = world.summary
                        let (events, violation) = (world.eventCount, world.violation)
                        board.tally.withLock { tally in
                            tally.events += events
                            tally.rounds += rounds
                            for outcome in outcomes { tally.outcomes[outcome, default: 0] += 1 }
                            if let violation { tally.failed.append((seed, violation)) }
                        }
                    }
                }
            }
        }
        let result = board.tally.withLock { $0 }
        for (seed, violation) in result.failed.sorted(by: { $0.0 < $1.0 }) {
            print("seed \(seed): \(violation)\n  replay it: SEED=\(seed) make simulate")
        }
        let outcomes = result.outcomes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        print(
            "\(result.next - seeds.lowerBound) seeds, \(result.events) events, \(result.rounds) extra rounds, sessions: "
                + "\(outcomes.joined(separator: ", ")); \(result.failed.isEmpty ? "every invariant holds" : "BROKEN"); "
                + "\((ContinuousClock.now - began).components.seconds) s"
        )
        return result.failed.isEmpty
    }
}
