import Foundation
import HTTPClient
import TestSupport

/// Measures the admission webhook of the real coordinator, pinned to one core, with a 20 KiB pod over TLS.
///
/// `remora-benchmark-webhook [reviews]`: 20000 unless told otherwise. Prints figures beside their aims (Markdown); exits 1
/// when an answer is wrong.
@main
enum WebhookBenchmark {
    static func main() async throws {
        let reviews = CommandLine.arguments.dropFirst().first.map { Int($0) ?? 0 } ?? 20_000
        guard (100...1_000_000).contains(reviews) else {
            throw TestSupportError("usage: remora-benchmark-webhook [reviews, 100 to 1000000]")
        }
        let isGood = try await withTestDirectory("webhook") { directory in
            let coordinator = try WebhookCoordinator(in: directory)
            do {
                try await coordinator.start()
                let isGood = try await Bench(coordinator: coordinator, reviews: reviews).measure()
                await coordinator.server.stop()
                return isGood
            } catch {
                await coordinator.server.kill()
                throw TestSupportError("\(error)\n\(coordinator.server.logTail())")
            }
        }
        if !isGood { exit(1) }
    }
}

/// One run.
private struct Bench: Sendable {
    let coordinator: WebhookCoordinator
    let reviews: Int

    /// Measures everything.
    ///
    /// - Returns: whether every answer held a patch.
    func measure() async throws -> Bool {
        let body = Question.bytes(of: 20 << 10)
        print("\(body.count) bytes a question, \(ProcessInfo.processInfo.activeProcessorCount) cores\n")
        print("| | measured | aim | ratio |\n| --- | --- | --- | --- |")
        // Warm: as it is when pods come.
        _ = try await run(connections: 2, each: reviews / 20, body)
        let alone = try await run(connections: 1, each: reviews / 4, body)
        figure("p50, one question at a time", alone.percentile(50) * 1000, "ms", aim: 1, isUpperBound: true)
        figure("p99, one question at a time", alone.percentile(99) * 1000, "ms", aim: 10, isUpperBound: true)
        let (start, cpu) = (ContinuousClock.now, coordinator.server.cpuSeconds)
        let together = try await run(connections: 4, each: reviews / 4, body)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let used = coordinator.server.cpuSeconds - cpu
        figure(
            "p99, four at a time, as fast as they go",
            together.percentile(99) * 1000,
            "ms",
            aim: 10,
            isUpperBound: true
        )
        figure("answered per second on one core", Double(together.count) / seconds, "/s", aim: 500, isUpperBound: false)
        figure(
            "answered per second of processor time",
            Double(together.count) / used,
            "/s",
            aim: 500,
            isUpperBound: false
        )
        return alone.isGood && together.isGood
    }

    private func figure(_ name: String, _ value: Double, _ unit: String, aim: Double, isUpperBound: Bool) {
        let sign = isUpperBound ? "≤" : "≥"
        print(
            "| \(name) | \(String(format: "%.2f", value)) \(unit) | \(sign) \(aim.formatted()) \(unit) | \(String(format: "%.2f", value / aim)) |"
        )
        fflush(nil)
    }

    private func run(connections: Int, each: Int, _ body: [UInt8]) async throws -> Answers {
        try await withThrowingTaskGroup(of: Answers.self) { group in
            for _ in 0..<connections {
                group.addTask {
                    var answers = Answers()
                    let client = try coordinator.client()
                    for _ in 0..<each {
                        let start = ContinuousClock.now
                        let response = try await client.send(coordinator.request(body))
                        answers.seconds.append((ContinuousClock.now - start) / .seconds(1))
                        answers.isGood = answers.isGood && response.status == 200 && response.body.count > 2000
                    }
                    return answers
                }
            }
            var all = Answers()
            for try await answers in group {
                all.seconds += answers.seconds
                all.isGood = all.isGood && answers.isGood
            }
            return all
        }
    }
}

/// How long answers took.
private struct Answers: Sendable {
    var seconds: [Double] = []
    var isGood = true
    var count: Int { seconds.count }

    /// The least value that so many of a hundred don't exceed.
    func percentile(_ percent: Double) -> Double {
        let sorted = seconds.sorted()
        guard !sorted.isEmpty else { return .nan }
        let rank = Int((percent / 100 * Double(sorted.count)).rounded(.up))
        return sorted[min(sorted.count, max(1, rank)) - 1]
    }
}
