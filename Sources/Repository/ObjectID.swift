/// A SHA-256 that names a blob, a pack, an index file, a snapshot, a lock or a key file.
///
/// 32 bytes inline, no allocation; comparing is four word compares.
public struct ObjectID: Hashable, Sendable, Comparable, CustomStringConvertible {
    // The bytes as they lie in memory, so that loads and stores need no swap; `<` swaps.
    var word0: UInt64
    var word1: UInt64
    var word2: UInt64
    var word3: UInt64

    /// The all-zero id, which names nothing: no content hashes to it.
    static let zero = ObjectID(word0: 0, word1: 0, word2: 0, word3: 0)

    init(word0: UInt64, word1: UInt64, word2: UInt64, word3: UInt64) {
        self.word0 = word0
        self.word1 = word1
        self.word2 = word2
        self.word3 = word3
    }

    /// Reads 32 bytes at `pointer`.
    init(loading pointer: UnsafeRawPointer) {
        word0 = pointer.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
        word1 = pointer.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        word2 = pointer.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
        word3 = pointer.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
    }

    /// Makes an id of exactly 32 bytes; nil for any other count.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        self = .zero
        withUnsafeMutableBytes(of: &self) { $0.copyBytes(from: bytes) }
    }

    /// Makes an id of 64 hex digits; nil for anything else.
    public init?(hex: some StringProtocol) {
        var text = Array(hex.utf8)
        let id = text.withUnsafeMutableBytes { ObjectID(hexDigits: UnsafeRawBufferPointer($0)) }
        guard let id else { return nil }
        self = id
    }

    /// Makes an id of 64 hex digits in memory; nil for anything else.
    init?(hexDigits: UnsafeRawBufferPointer) {
        guard hexDigits.count == 64 else { return nil }
        self = .zero
        var bad: UInt8 = 0
        withUnsafeMutableBytes(of: &self) { out in
            for index in 0..<32 {
                let high = hexValue(hexDigits[2 * index])
                let low = hexValue(hexDigits[2 * index + 1])
                bad |= high | low
                out[index] = high << 4 | (low & 15)
            }
        }
        guard bad < 16 else { return nil }
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }

    /// 64 lower-case hex digits: the name of the object's file.
    public var hex: String {
        String(unsafeUninitializedCapacity: 64) { out in
            withUnsafeBytes(of: self) { bytes in
                for index in 0..<32 {
                    out[2 * index] = hexDigit(bytes[index] >> 4)
                    out[2 * index + 1] = hexDigit(bytes[index] & 15)
                }
            }
            return 64
        }
    }

    /// The first eight hex digits, enough for people.
    public var short: String { String(hex.prefix(8)) }

    /// 64 lower-case hex digits.
    public var description: String { hex }

    /// Orders by the bytes, first byte first.
    public static func < (left: ObjectID, right: ObjectID) -> Bool {
        if left.word0 != right.word0 { return left.word0.bigEndian < right.word0.bigEndian }
        if left.word1 != right.word1 { return left.word1.bigEndian < right.word1.bigEndian }
        if left.word2 != right.word2 { return left.word2.bigEndian < right.word2.bigEndian }
        return left.word3.bigEndian < right.word3.bigEndian
    }

    /// SHA-256 output is uniform already: one word is hash enough.
    public func hash(into hasher: inout Hasher) { hasher.combine(word0) }
}

/// Names a blob: the SHA-256 of its plaintext.
public typealias BlobID = ObjectID
/// Names a pack file: the SHA-256 of its stored bytes.
public typealias PackID = ObjectID
/// Names a snapshot file: the SHA-256 of its stored bytes.
public typealias SnapshotID = ObjectID

/// What a blob holds; the same bytes as data and as tree are two blobs.
public enum BlobType: UInt8, Sendable, Hashable, CustomStringConvertible {
    /// Bytes of files.
    case data = 0
    /// A directory.
    case tree = 1

    /// `data` or `tree`, as in index files.
    public var description: String { self == .data ? "data" : "tree" }
}

/// The value of a hex digit, or 255: larger than any digit.
@inline(__always)
func hexValue(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 0x30...0x39: byte &- 0x30
    case 0x61...0x66: byte &- 0x57
    case 0x41...0x46: byte &- 0x37
    default: 255
    }
}

/// The lower-case hex digit of a value below 16.
@inline(__always)
func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x57 &+ value }

/// Two lower-case hex digits.
func hexText(_ byte: UInt8) -> String {
    String(decoding: [hexDigit(byte >> 4), hexDigit(byte & 15)], as: UTF8.self)
}
