import Foundation
import ObjectStorage
import Testing

@testable import Repository

/// Measures, asserts nothing. Run alone, in release mode: REMORA_BENCHMARK=1 swift test -c release --filter Benchmark
@Suite("Benchmark", .enabled(if: ProcessInfo.processInfo.environment["REMORA_BENCHMARK"] != nil), .serialized)
struct Benchmark {
    /// Takes bytes and forgets them: the storage costs nothing.
    final class NullStore: ObjectStore {
        let location = "nowhere"
        func put(_ key: String, _ bytes: [UInt8], options: PutOptions) async throws {}
        func get(_ key: String, range: Range<Int>?) async throws -> [UInt8] { throw ObjectStorageError(.notFound, key) }
        func stat(_ key: String) async throws -> ObjectInfo { throw ObjectStorageError(.notFound, key) }
        func list(prefix: String) async throws -> [ObjectInfo] { [] }
        func delete(_ key: String) async throws {}
    }

    enum Content: String, CaseIterable { case documents, noise, half, known }

    private func cpu() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    @Test("store of 1 MiB chunks by two tasks", arguments: Content.allCases)
    func store(_ content: Content) async throws {
        let repository = try await makeRepository(NullStore())
        let total = 512
        let chunks = await withTaskGroup(of: [UInt8].self) { group in
            for number in 0..<total {
                group.addTask {
                    var random = SplitMix(UInt64(number) << 32)
                    switch content {
                    case .documents: return random.documents(1 << 20)
                    case .noise: return random.bytes(1 << 20)
                    case .half, .known: return number % 2 == 0 ? random.documents(1 << 20) : random.bytes(1 << 20)
                    }
                }
            }
            return await group.reduce(into: [[UInt8]]()) { $0.append($1) }
        }
        let writer = repository.makeWriter()
        func run() async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<2 {
                    group.addTask {
                        for number in stride(from: task, to: total, by: 2) {
                            _ = try await writer.store(chunks[number], as: .data)
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await writer.flush()
        }
        if content == .known { try await run() }
        let (before, start) = (cpu(), ContinuousClock.now)
        try await run()
        let (spent, wall) = (cpu() - before, ContinuousClock.now - start)
        let seconds = Double(wall.components.attoseconds) / 1e18 + Double(wall.components.seconds)
        let megabytes = Double(total << 20) / 1e6
        print(
            "\(content): \(Int(megabytes / seconds)) MB/s wall, \(Int(megabytes / spent)) MB/s per core, ",
            "\(String(format: "%.2f", spent * 1e9 / (megabytes * 1e6))) ns/B, stored \(writer.statistics.bytesStored * 100 / UInt64(total << 20)) %"
        )
    }

    @Test("the stages of storing alone, one after another on one core", arguments: [Content.documents, .noise])
    func stages(_ content: Content) throws {
        let context = try CryptoContext(MasterKey.random(), level: 1)
        let count = 64
        let chunks = (0..<count).map { number in
            var random = SplitMix(UInt64(number) << 32)
            return content == .noise ? random.bytes(1 << 20) : random.documents(1 << 20)
        }
        var room = [UInt8](repeating: 1, count: 2 << 20)
        var pack = [UInt8](repeating: 1, count: count << 20)
        var times: [(String, Double)] = []
        func measure(_ name: String, _ body: () throws -> Void) rethrows {
            let before = cpu()
            try body()
            times.append((name, (cpu() - before) * 1e9 / Double(count << 20)))
        }
        try measure("SHA-256") { for chunk in chunks { _ = try chunk.withUnsafeBytes { try context.sha256($0) } } }
        var sizes: [Int] = []
        measure("zstd") {
            for chunk in chunks {
                let size = room.withUnsafeMutableBytes { room in
                    chunk.withUnsafeBytes { context.compressor.compress($0, into: .init(rebasing: room[..<(1 << 20)])) }
                }
                sizes.append(size ?? chunk.count)
            }
        }
        try measure("seal") {
            for size in sizes {
                try room.withUnsafeMutableBytes { room in
                    guard let base = room.baseAddress else { return }
                    try chunks[0].withUnsafeBytes { try context.seal(.init(rebasing: $0[..<size]), into: base) }
                }
            }
        }
        let stored = sizes.reduce(0, +)
        measure("append") {
            var end = 0
            for size in sizes {
                pack.withUnsafeMutableBytes {
                    $0.baseAddress?.advanced(by: end).copyMemory(from: room, byteCount: size)
                }
                end += size
            }
        }
        try measure("pack's SHA-256") {
            _ = try pack.withUnsafeBytes { try context.sha256(.init(rebasing: $0[..<stored])) }
        }
        let sum = times.reduce(0) { $0 + $1.1 }
        print(
            "\(content) alone: \(String(format: "%.2f", sum)) ns/B, \(Int(1e3 / sum)) MB/s per core:",
            times.map { "\($0.0) \(String(format: "%.2f", $0.1))" }.joined(separator: ", ")
        )
    }

    @Test("cutting a stream")
    func chunker() throws {
        var random = SplitMix(1)
        let bytes = random.bytes(256 << 20)
        let chunker = try StreamChunker(key: Array(repeating: 7, count: 32))
        let before = cpu()
        var chunks = 0
        bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                rest = rest.dropFirst(chunker.cut(UnsafeRawBufferPointer(rebasing: rest)))
                chunks += 1
            }
        }
        print(
            "chunker: \(Double(bytes.count) / 1e9 / (cpu() - before)) GB/s, \((bytes.count / chunks) >> 10) KiB on average"
        )
    }

    @Test("reading back and loading an index of a million blobs")
    func reading() async throws {
        let store = MemoryStore()
        var random = SplitMix(1)
        let bytes = random.documents(256 << 20)
        try await backUp(["file": bytes], to: try await makeRepository(store), chunk: 1 << 20)
        let repository = try await openRepository(store)
        let reader = try await repository.reader(of: try await repository.findSnapshot("latest"))
        let (before, start) = (cpu(), ContinuousClock.now)
        try await reader.read("file") { _ in }
        let wall = ContinuousClock.now - start
        print("read: \(Double(bytes.count) / 1e6 / (cpu() - before)) MB/s per core, \(wall) wall for 268 MB")
    }
}

extension SplitMix {
    /// Order-like documents as JSON, which zstd's level 1 makes about four times smaller.
    mutating func documents(_ count: Int) -> [UInt8] {
        let words = ["pending", "shipped", "delivered", "returned", "express", "standard", "gift", "none"]
        var text = ""
        text.reserveCapacity(count + 1000)
        while text.utf8.count < count {
            text +=
                "{\"_id\":\"\(String(next(), radix: 16))\",\"customer\":{\"name\":\"customer-\(next() % 100_000)\",\"city\":\"city-\(next() % 500)\"},\"status\":\"\(words[Int(next() % 8)])\",\"shipping\":\"\(words[Int(next() % 8)])\",\"items\":["
            for item in 0..<(next() % 6 + 1) {
                text +=
                    "{\"sku\":\"SKU-\(next() % 20_000)\",\"quantity\":\(next() % 9),\"price\":\(next() % 100_000),\"line\":\(item)},"
            }
            text += "],\"total\":\(next() % 1_000_000),\"note\":\"please leave the parcel at the door\"}\n"
        }
        return Array(text.utf8.prefix(count))
    }
}
