import CPlatform
import Glibc
import Testing

@testable import Engines

@Suite("Memory for chunks")
struct ChunkMemoryTests {
    /// Numbers that look random and are the same in every run.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    private func holds(_ memory: ChunkMemory, _ expected: [UInt8]) -> Bool {
        memory.withUnsafeBytes { bytes in bytes.baseAddress.map { memcmp($0, expected, expected.count) == 0 } ?? false }
    }

    @Test(
        "a chunk holds what was appended, with the checksum of the table",
        arguments: [1, 300, 5_000, 70_000, 900_000]
    )
    func content(longest: Int) {
        var random = Numbers(state: UInt64(longest))
        let pool = ChunkPool(mostSpare: 2)
        for _ in 0..<4 {
            let memory = pool.take()
            var expected: [UInt8] = []
            for _ in 0..<12 {
                let part = (0..<Int.random(in: 1...longest, using: &random)).map { _ in
                    UInt8(truncatingIfNeeded: random.next())
                }
                part.withUnsafeBytes { memory.append($0) }
                expected += part
            }
            #expect(memory.count == expected.count)
            #expect(holds(memory, expected))
            #expect(memory.checksum().value == remora_crc64_portable(0, expected, expected.count))
        }
    }

    @Test("memory is used again, but not while somebody has it, and no more of it is kept than was said")
    func reuse() {
        let pool = ChunkPool(mostSpare: 1)
        func address(_ memory: ChunkMemory) -> UnsafeRawPointer? {
            memory.append(UnsafeRawBufferPointer(start: nil, count: 0))
            return [UInt8(7)].withUnsafeBytes { byte in
                memory.append(byte)
                return memory.withUnsafeBytes { $0.baseAddress }
            }
        }
        var first: ChunkMemory? = pool.take()
        let second = pool.take()
        let place = first.flatMap(address)
        #expect(place != nil)
        #expect(place != address(second))
        first = nil
        let third = pool.take()
        #expect(third.count == 0)
        #expect(address(third) == place)
        #expect(third.checksum().value == remora_crc64_portable(0, [7], 1))
    }

    @Test("a chunk that outgrew its memory is whole, and its memory isn't kept")
    func growth() {
        let pool = ChunkPool(mostSpare: 4)
        let large = [UInt8](repeating: 3, count: 16 << 20)
        let memory = pool.take()
        let small = [UInt8](repeating: 5, count: ChunkPool.regionBytes - 10)
        small.withUnsafeBytes { memory.append($0) }
        large.withUnsafeBytes { memory.append($0) }
        #expect(memory.count == small.count + large.count)
        let all = small + large
        #expect(holds(memory, all))
        #expect(memory.checksum().value == remora_crc64_portable(0, all, all.count))
    }
}

@Suite("Slots for storing")
struct StoreSlotsTests {
    @Test("tasks of their own are for cores that readers leave idle")
    func readers() {
        let slots = StoreSlots(2, bytes: 1_000)
        slots.enter()
        #expect(slots.take(10))
        #expect(!slots.take(10))
        slots.give(10)
        slots.enter()
        #expect(!slots.take(10))
        slots.enter()
        slots.leave()
        #expect(!slots.take(10))
        slots.leave()
        #expect(slots.take(10))
    }

    @Test("tasks of their own hold so many bytes and no more")
    func bytes() {
        let slots = StoreSlots(10, bytes: 100)
        #expect(slots.take(60))
        #expect(!slots.take(60))
        #expect(slots.take(40))
        #expect(!slots.take(1))
        slots.give(60)
        #expect(slots.take(1))
        #expect(!StoreSlots(10, bytes: 100).take(101))
    }
}
