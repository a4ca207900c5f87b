import Synchronization
import TestSupport
import Testing

@testable import Kubernetes

@Suite("work queue")
struct WorkQueueTests {
    @Test("keys come in order, once however often they are added, and again when added while at work")
    func order() {
        var state = WorkQueueState<String>()
        for key in ["a", "b", "a", "c", "b"] { state.add(key) }
        #expect(state.count == 3)
        #expect(state.take() == "a")
        state.add("a")
        state.add("a")
        #expect(state.take() == "b" && state.take() == "c" && state.take() == nil)
        state.done("a")
        #expect(state.take() == "a")
        state.done("a")
        state.done("b")
        #expect(state.take() == nil && state.workingCount == 1)
    }

    @Test("of several times for one key the earliest counts, and timers go off in order")
    func timers() {
        var state = WorkQueueState<Int>()
        for key in [5, 3, 9, 1, 7] { state.add(key, at: .seconds(key)) }
        state.add(9, at: .seconds(2))
        state.add(1, at: .seconds(50))
        #expect(state.nextDue == .seconds(1) && state.delayedCount == 5)
        state.fire(now: .milliseconds(999))
        #expect(state.count == 0)
        var fired: [Int] = []
        for second in 1...60 {
            state.fire(now: .seconds(second))
            while let key = state.take() {
                fired.append(key)
                state.done(key)
            }
        }
        #expect(fired == [1, 9, 3, 5, 7] && state.delayedCount == 0 && state.nextDue == nil)
    }

    @Test("thousands of keys are all taken once")
    func many() {
        var state = WorkQueueState<Int>()
        var taken: [Int] = []
        for key in 0..<5000 {
            state.add(key)
            if key % 3 == 0, let next = state.take() { taken.append(next) }
        }
        while let next = state.take() { taken.append(next) }
        #expect(taken == Array(0..<5000))
    }

    @Test("a key that fails comes again after pauses that double up to the longest, until it is well")
    func backoff() async throws {
        let time = SteppedTime()
        let queue = WorkQueue<String>(time: time.source)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await queue.runTimer() }
            var pause = Duration.milliseconds(250)
            for _ in 0..<12 {
                queue.addFailed("a")
                try await time.step(pause - .milliseconds(1), sleepers: 1)
                #expect(queue.count == 0 && queue.delayedCount == 1)
                try await time.step(.milliseconds(1), sleepers: 1)
                #expect(await queue.next() == "a")
                queue.done("a")
                pause = min(pause * 2, .seconds(300))
            }
            #expect(queue.failures(of: "a") == 12)
            queue.forget("a")
            #expect(queue.failures(of: "a") == 0)
            queue.shutDown()
            try await group.waitForAll()
        }
        #expect(await queue.next() == nil)
    }

    @Test("all keys together come again only so often")
    func globalLimit() {
        let time = SteppedTime()
        let queue = WorkQueue<Int>(
            timing: WorkQueueTiming(firstDelay: .milliseconds(1), retriesPerSecond: 10, burst: 2),
            time: time.source
        )
        var bucket = TokenBucket(perSecond: 10, burst: 2, now: .zero)
        #expect((0..<4).map { _ in bucket.take(now: .zero) } == [.zero, .zero, .milliseconds(100), .milliseconds(200)])
        #expect(bucket.take(now: .seconds(10)) == .zero)
        for key in 0..<4 { queue.addFailed(key) }
        #expect(queue.delayedCount == 4)
    }

    @Test("workers take keys at once, never one key twice at the same time, and lose none")
    func workers() async throws {
        let queue = WorkQueue<Int>()
        let state = Mutex<(busy: Set<Int>, isDoubled: Bool, runs: [Int: Int])>(([], false, [:]))
        let task = Task {
            await queue.process(workers: 4) { key in
                let run = state.withLock { state in
                    if !state.busy.insert(key).inserted { state.isDoubled = true }
                    state.runs[key, default: 0] += 1
                    return state.runs[key] ?? 0
                }
                await Task.yield()
                if run == 1 { queue.add(key) }
                state.withLock { _ = $0.busy.remove(key) }
                switch run {
                case 1: return .done
                case 2: return .retry
                case 3: return .again(after: .milliseconds(1))
                default: return .done
                }
            }
        }
        for key in 0..<50 { queue.add(key) }
        try await eventually("each key ran four times") {
            state.withLock { state in (0..<50).allSatisfy { state.runs[$0] == 4 } }
        }
        #expect(!state.withLock { $0.isDoubled })
        task.cancel()
        await task.value
        #expect(queue.workingCount == 0)
    }

    @Test("a worker that waits gets nothing when it is cancelled")
    func cancelled() async {
        let queue = WorkQueue<Int>()
        let task = Task { await queue.next() }
        task.cancel()
        #expect(await task.value == nil)
        queue.add(1)
        #expect(await queue.next() == 1)
    }
}
