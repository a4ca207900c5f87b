/// What a set of documents comes to, whatever their order: how many, how many bytes, and a sum of their hashes.
///
/// Two sets with equal sums are taken to be equal: each document's 64-bit hash is mixed well before it is added, so
/// that a document that is missing, doubled, or changed by a single bit shows with a chance of 1 in 2^64 to miss.
/// It guards against defects, not against an attacker.
struct DocumentChecksum: Sendable, Hashable {
    /// Documents.
    private(set) var documents: Int64 = 0
    /// Bytes of all of them.
    private(set) var bytes: Int64 = 0
    private var sum: UInt64 = 0

    /// Adds a document.
    mutating func add(_ document: RawSpan) {
        documents += 1
        bytes += Int64(document.byteCount)
        sum &+= Self.hash(document)
    }

    /// Adds another set.
    mutating func add(_ other: DocumentChecksum) {
        documents += other.documents
        bytes += other.bytes
        sum &+= other.sum
    }

    /// Takes away a set that is part of this one.
    mutating func remove(_ other: DocumentChecksum) {
        documents -= other.documents
        bytes -= other.bytes
        sum &-= other.sum
    }

    /// Four lanes of multiply-and-rotate over 32 bytes at a time (the scheme of xxHash64), mixed at the end.
    static func hash(_ bytes: RawSpan) -> UInt64 {
        let count = bytes.byteCount
        var offset = 0
        var result: UInt64
        if count >= 32 {
            var a = prime1 &+ prime2
            var b = prime2
            var c: UInt64 = 0
            var d = 0 &- prime1
            while count - offset >= 32 {
                a = round(a, word(bytes, offset))
                b = round(b, word(bytes, offset + 8))
                c = round(c, word(bytes, offset + 16))
                d = round(d, word(bytes, offset + 24))
                offset += 32
            }
            result = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
            result = merge(merge(merge(merge(result, a), b), c), d)
        } else {
            result = prime5
        }
        result &+= UInt64(count)
        while count - offset >= 8 {
            result = rotate(result ^ round(0, word(bytes, offset)), 27) &* prime1 &+ prime4
            offset += 8
        }
        while offset < count {
            result =
                rotate(result ^ (UInt64(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) &* prime5), 11)
                &* prime1
            offset += 1
        }
        result = (result ^ (result >> 33)) &* prime2
        result = (result ^ (result >> 29)) &* prime3
        return result ^ (result >> 32)
    }

    private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    @inline(__always)
    private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        rotate(lane &+ input &* prime2, 31) &* prime1
    }

    @inline(__always)
    private static func merge(_ result: UInt64, _ lane: UInt64) -> UInt64 {
        (result ^ round(0, lane)) &* prime1 &+ prime4
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value &<< count | value &>> (64 &- count)
    }

    @inline(__always)
    private static func word(_ bytes: RawSpan, _ offset: Int) -> UInt64 {
        bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
}
