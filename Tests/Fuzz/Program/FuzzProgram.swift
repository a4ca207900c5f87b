import Glibc
import PodFuzz

/// `remora-fuzz [pods] [seed]`: random pods through the injector; tells the seed of one that breaks a rule.
///
/// With a seed only its pod is looked at. Exit code 1 when a rule is broken, 64 when the arguments make no sense.
@main
enum FuzzProgram {
    private typealias Counts = [String: Int]

    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        let pods = UInt64(arguments.first ?? "1000000")
        let seed = arguments.dropFirst().first.map { UInt64($0) }
        guard let pods, pods > 0, arguments.count <= 2, seed != .some(.none) else {
            end("usage: remora-fuzz [number of pods] [seed]", 64)
        }
        do {
            if let seed, let seed {
                print("seed \(seed): \(try look(seed))")
                return
            }
            let start = ContinuousClock.now
            let counts = try await run(pods)
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            print(
                "\(pods) pods in \(seconds) s: every patch applies, validates, is idempotent and touches nothing else"
            )
            for (outcome, count) in counts.sorted(by: { $0.value > $1.value }) {
                print("  \(outcome): \(count)")
            }
        } catch {
            end("\(error)", 1)
        }
    }

    private static func look(_ seed: UInt64) throws -> String {
        do {
            return try PodFuzz.check(seed: seed)
        } catch {
            throw PodFuzz.Failure(description: "SEED=\(seed): \(error)")
        }
    }

    private static func run(_ pods: UInt64) async throws -> Counts {
        let workers = UInt64(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        return try await withThrowingTaskGroup(of: Counts.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    var counts: Counts = [:]
                    for seed in stride(from: worker, to: pods, by: Int(workers)) {
                        counts[try look(seed), default: 0] += 1
                        // Another worker has found something.
                        if seed % 1024 < workers { try Task.checkCancellation() }
                    }
                    return counts
                }
            }
            var all: Counts = [:]
            for try await counts in group { all.merge(counts, uniquingKeysWith: +) }
            return all
        }
    }

    private static func end(_ message: String, _ code: Int32) -> Never {
        let text = Array("remora-fuzz: \(message)\n".utf8)
        // A reader that went away is no reason to end differently.
        _ = text.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        exit(code)
    }
}
