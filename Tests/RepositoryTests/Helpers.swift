import ObjectStorage
import Repository
import Synchronization
import TestSupport
import Testing

/// The password of the tests' repositories.
let testPassword = "correct horse battery staple"

/// A repository whose key is quick to derive.
func makeRepository(_ store: any ObjectStore) async throws -> Repository {
    try await Repository.initialize(
        at: store,
        password: RepositoryPassword(trimming: testPassword),
        kdf: KDFParameters(n: 2, r: 8, p: 1)
    )
}

/// The repository, opened anew, with its index.
func openRepository(_ store: any ObjectStore) async throws -> Repository {
    let repository = try await Repository.open(at: store, password: RepositoryPassword(trimming: testPassword))
    try await repository.loadIndex()
    return repository
}

/// Stores content as files, each cut into chunks of `chunk` bytes, and commits.
@discardableResult
func backUp(
    _ files: [String: [UInt8]],
    to repository: Repository,
    chunk: Int = 100_000,
    options: WriterOptions = WriterOptions()
) async throws -> SnapshotID {
    let writer = repository.makeWriter(options)
    var stored: [SnapshotFile] = []
    for (path, bytes) in files.sorted(by: { $0.key < $1.key }) {
        var content: [BlobID] = []
        for begin in stride(from: 0, to: bytes.count, by: chunk) {
            content.append(try await writer.store(Array(bytes[begin..<min(begin + chunk, bytes.count)]), as: .data).id)
        }
        stored.append(SnapshotFile(path: path, size: UInt64(bytes.count), content: content))
    }
    let tree = try await writer.storeTree(stored)
    try await writer.flush()
    return try await writer.commit(Snapshot(time: .now(), tree: tree, paths: ["/backup"], hostname: "tests"))
}

/// Packs that are small, so that little data makes many.
func smallPacks(_ size: Int = 200_000) -> WriterOptions {
    var options = WriterOptions()
    options.packSize = size
    return options
}

/// Numbers that look random and are the same in every run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes.prefix(count))
    }

    /// Bytes that compress.
    mutating func text(_ count: Int) -> [UInt8] {
        var text: [UInt8] = []
        while text.count < count { text += Array("{\"number\": \(next() % 100_000), \"word\": \"somebody\"}\n".utf8) }
        return Array(text.prefix(count))
    }
}

/// A store that remembers what was put and got, and does before each call what the test says.
final class WatchedStore: ObjectStore {
    let base = MemoryStore()
    var location: String { base.location }

    private struct Log {
        var puts: [String] = []
        var gets: [String] = []
        var running = 0
        var mostRunning = 0
    }

    private let log = Mutex(Log())
    private let beforePut: @Sendable (String) async throws -> Void
    private let beforeGet: @Sendable (String) async throws -> Void

    init(
        beforePut: @escaping @Sendable (String) async throws -> Void = { _ in },
        beforeGet: @escaping @Sendable (String) async throws -> Void = { _ in }
    ) {
        self.beforePut = beforePut
        self.beforeGet = beforeGet
    }

    var puts: [String] { log.withLock { $0.puts } }
    var gets: [String] { log.withLock { $0.gets } }
    /// The most puts of packs that ran at the same time.
    var mostRunning: Int { log.withLock { $0.mostRunning } }

    func forget() { log.withLock { $0 = Log() } }

    func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {
        log.withLock { log in
            log.running += 1
            log.mostRunning = max(log.mostRunning, log.running)
        }
        defer { log.withLock { $0.running -= 1 } }
        try await beforePut(key)
        try await base.put(key, bytes, options: options)
        log.withLock { $0.puts.append(key) }
    }

    func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] {
        try await beforeGet(key)
        log.withLock { $0.gets.append(key) }
        return try await base.get(key, range: range)
    }

    func stat(_ key: String) async throws -> ObjectInfo { try await base.stat(key) }
    func list(prefix: String) async throws -> [ObjectInfo] { try await base.list(prefix: prefix) }
    func delete(_ key: String) async throws { try await base.delete(key) }
}

/// A door that holds tasks back until it opens.
final class Door: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var waiting: Int { state.withLock { $0.waiting.count } }
    var isOpen: Bool { state.withLock { $0.isOpen } }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// Waits until a number has stayed the same for a while: what was to happen has happened, and no more does.
func settles(_ value: () -> Int) async throws {
    var last = value()
    var same = 0
    while same < 5 {
        try await Task.sleep(for: .milliseconds(40))
        let now = value()
        same = now == last ? same + 1 : 0
        last = now
    }
}

/// Expects that bytes are the same, and says where they begin to differ: a plain expectation would print all of them.
func expectSame(_ left: [UInt8]?, _ right: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    guard left != right else { return }
    guard let left else {
        Issue.record("there are no bytes instead of \(right.count)", sourceLocation: sourceLocation)
        return
    }
    let begin = zip(left, right).prefix { $0 == $1 }.reduce(0) { count, _ in count + 1 }
    Issue.record("\(left.count) and \(right.count) bytes differ from byte \(begin) on", sourceLocation: sourceLocation)
}
