import Synchronization

/// Repeatable randomness (SplitMix64): the same seed gives the same data set.
struct Generator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) {
        // Neighbouring seeds must not give neighbouring numbers: one step mixes them.
        state = seed &* 0x9e37_79b9_7f4a_7c15 ^ 0x5851_f42d_4c95_7f2d
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, not including, `limit`.
    mutating func below(_ limit: Int) -> Int { Int(truncatingIfNeeded: next() >> 1) % limit }

    mutating func pick<Element>(_ list: [Element]) -> Element { list[below(list.count)] }

    /// A few bytes that nobody else has.
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    /// Bytes that don't compress; cut from a pool, since making 15 MB of them byte by byte is slow in a debug build.
    mutating func noise(_ count: Int) -> [UInt8] { slice(of: Pools.noise, count) }

    /// Letters and digits that compress by a quarter at most.
    mutating func letters(_ count: Int) -> [UInt8] { slice(of: Pools.letters, count) }

    /// English-looking words.
    mutating func sentence(_ words: Int) -> String {
        (0..<words).map { _ in pick(Pools.words) }.joined(separator: " ")
    }

    private mutating func slice(of pool: [UInt8], _ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        while result.count < count {
            let start = below(pool.count)
            result.append(contentsOf: pool[start..<min(pool.count, start + count - result.count)])
        }
        return result
    }
}

private enum Pools {
    static let noise: [UInt8] = {
        var generator = Generator(seed: 1)
        return [UInt8](unsafeUninitializedCapacity: 4 << 20) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for offset in stride(from: 0, to: raw.count, by: 8) {
                raw.storeBytes(of: generator.next(), toByteOffset: offset, as: UInt64.self)
            }
            count = raw.count
        }
    }()

    static let letters: [UInt8] = {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        return noise.prefix(512 << 10).map { alphabet[Int($0 & 63)] }
    }()

    static let words = """
        remora shark ocean reef current tide anchor harbour sail compass lantern rope deck captain crew storm calm wave
        order parcel invoice customer basket refund delivery warehouse stock price offer season colour size wool linen
        blue red green amber quiet bright sudden gentle early late north south under over with without against toward
        """.split(whereSeparator: \.isWhitespace).map(String.init)
}
