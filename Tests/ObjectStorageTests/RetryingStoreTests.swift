import ObjectStorage
import Synchronization
import Testing

/// A store whose calls fail as a test says, and otherwise work.
private final class FailingStore: ObjectStore {
    let location = "failing"
    private let base = MemoryStore()
    private let failures: Mutex<[ObjectStorageError]>
    private let calls = Mutex(0)

    init(_ failures: [ObjectStorageError]) { self.failures = Mutex(failures) }

    var callCount: Int { calls.withLock { $0 } }

    private func step() throws {
        calls.withLock { $0 += 1 }
        if let error = failures.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw error }
    }

    func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        try step()
        try await base.put(key, bytes, options: options)
    }
    func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] {
        try step()
        return try await base.get(key, range: range)
    }
    func stat(_ key: String) async throws -> ObjectInfo {
        try step()
        return try await base.stat(key)
    }
    func list(prefix: String) async throws -> [ObjectInfo] {
        try step()
        return try await base.list(prefix: prefix)
    }
    func delete(_ key: String) async throws {
        try step()
        try await base.delete(key)
    }
}

/// A clock that moves only when somebody sleeps.
private final class TestTime: Sendable {
    private let state = Mutex<(now: Duration, slept: [Duration])>((.zero, []))
    var slept: [Duration] { state.withLock { $0.slept } }

    func timing(chance: Double = 1) -> RetryTiming {
        RetryTiming(
            elapsed: { self.state.withLock { $0.now } },
            sleep: { pause in
                self.state.withLock { state in
                    state.now += pause
                    state.slept.append(pause)
                }
            },
            chance: { chance }
        )
    }
}

@Suite("retries")
struct RetryingStoreTests {
    private let broken = ObjectStorageError(.unavailable, "cannot do it: broken", isTransient: true)
    private let policy = RetryPolicy(
        attempts: 6,
        firstDelay: .seconds(1),
        maximumDelay: .seconds(5),
        totalTime: .seconds(60)
    )

    @Test("pauses twice as long each time up to the maximum, and tells")
    func growth() async throws {
        let store = FailingStore(Array(repeating: broken, count: 5))
        let time = TestTime()
        let told = Mutex<[String]>([])
        let retrying = RetryingStore(store, policy: policy, timing: time.timing()) { text in
            told.withLock { $0.append(text) }
        }
        try await retrying.put("key", [1])
        #expect(time.slept == [.seconds(1), .seconds(2), .seconds(4), .seconds(5), .seconds(5)])
        #expect(told.withLock { $0.count } == 5)
        #expect(told.withLock { $0.first } == "try 2 of 6 follows in 1.0 s: cannot do it: broken")
        #expect(try await retrying.get("key") == [1])
    }

    @Test("shortens pauses by chance, down to nothing")
    func jitter() async throws {
        for (chance, pause) in [(0, Duration.zero), (0.25, .milliseconds(250))] {
            let time = TestTime()
            let store = FailingStore([broken])
            _ = try await RetryingStore(store, policy: policy, timing: time.timing(chance: chance)) { _ in }.list(
                prefix: ""
            )
            #expect(time.slept == [pause])
        }
    }

    @Test("gives up after the last try and says so")
    func attempts() async throws {
        let store = FailingStore(Array(repeating: broken, count: 100))
        let time = TestTime()
        let error = await #expect(throws: ObjectStorageError.self) {
            _ = try await RetryingStore(store, policy: policy, timing: time.timing()) { _ in }.stat("key")
        }
        #expect(store.callCount == 6)
        #expect(error?.message == "cannot do it: broken; gave up after 6 tries in 17.0 s")
        #expect(error?.code == .unavailable)
    }

    @Test("gives up when the time is over, with a last try at its end")
    func totalTime() async throws {
        var policy = policy
        policy.totalTime = .seconds(8)
        let store = FailingStore(Array(repeating: broken, count: 100))
        let error = await #expect(throws: ObjectStorageError.self) {
            try await RetryingStore(store, policy: policy, timing: TestTime().timing()) { _ in }.delete("key")
        }
        #expect(store.callCount == 5)
        #expect(error?.message.hasSuffix("gave up after 5 tries in 8.0 s") == true)
    }

    @Test("throws at once what can't get better")
    func permanent() async throws {
        let store = FailingStore([ObjectStorageError(.accessDenied, "no")])
        let error = await #expect(throws: ObjectStorageError.self) {
            try await RetryingStore(store, policy: policy, timing: TestTime().timing()) { _ in }.put("key", [1])
        }
        #expect(error?.message == "no")
        #expect(store.callCount == 1)
    }

    @Test("ends at once when its task is cancelled during a pause")
    func cancellation() async throws {
        let store = FailingStore(Array(repeating: broken, count: 100))
        let isPausing = Mutex(false)
        let policy = RetryPolicy(firstDelay: .seconds(1000), maximumDelay: .seconds(1000), totalTime: .seconds(10_000))
        var timing = RetryTiming.system
        timing.chance = { 1 }
        let retrying = RetryingStore(store, policy: policy, timing: timing) { _ in isPausing.withLock { $0 = true } }
        let task = Task { try await retrying.put("key", [1]) }
        while !isPausing.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(1)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(store.callCount == 1)
    }

    @Test("doesn't compare contents when no try has failed before")
    func firstTryRefused() async throws {
        let store = FailingStore([])
        let retrying = RetryingStore(store, policy: policy, timing: TestTime().timing()) { _ in }
        try await retrying.put("key", [1])
        let error = await #expect(throws: ObjectStorageError.self) {
            try await retrying.put("key", [1], options: PutOptions(ifAbsent: true))
        }
        #expect(error?.code == .alreadyExists)
        #expect(store.callCount == 2)
    }

    @Test("refuses another's object of the same size, found after a failed try")
    func othersObject() async throws {
        let store = FailingStore([])
        try await store.put("key", [1, 2])
        for (bytes, isSame) in [([1, 2] as [UInt8], true), ([1, 3], false), ([1], false)] {
            let failing = FailingStore([])
            try await failing.put("key", [1, 2])
            let flaky = OnceFailing(failing)
            let retrying = RetryingStore(flaky, policy: policy, timing: TestTime().timing()) { _ in }
            if isSame {
                try await retrying.put("key", bytes, options: PutOptions(ifAbsent: true))
            } else {
                let error = await #expect(throws: ObjectStorageError.self) {
                    try await retrying.put("key", bytes, options: PutOptions(ifAbsent: true))
                }
                #expect(error?.code == .alreadyExists)
            }
        }
    }
}

/// Fails the first put with a broken connection.
private final class OnceFailing: ObjectStore {
    private let base: any ObjectStore
    private let isFirst = Mutex(true)
    var location: String { base.location }

    init(_ base: any ObjectStore) { self.base = base }

    func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        if isFirst.withLock({ first in
            defer { first = false }; return first
        }) {
            throw ObjectStorageError(.unavailable, "broken", isTransient: true)
        }
        try await base.put(key, bytes, options: options)
    }
    func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] { try await base.get(key, range: range) }
    func stat(_ key: String) async throws -> ObjectInfo { try await base.stat(key) }
    func list(prefix: String) async throws -> [ObjectInfo] { try await base.list(prefix: prefix) }
    func delete(_ key: String) async throws { try await base.delete(key) }
}
