/// Cuts a stream of bytes into lines, wherever the network cut it: also in the middle of a character.
struct LineFramer {
    /// A longer line is refused: etcd holds no object of that size.
    static let longest = 64 << 20

    private var pending: [UInt8] = []
    private var lines: [[UInt8]] = []
    private var nextLine = 0

    /// Takes what came.
    ///
    /// - Returns: false when a line is too long.
    mutating func append(_ chunk: [UInt8]) -> Bool {
        var rest = chunk[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if pending.isEmpty {
                lines.append(Array(rest[..<end]))
            } else {
                pending += rest[..<end]
                lines.append(pending)
                pending = []
            }
            rest = rest[(end + 1)...]
        }
        guard pending.count + rest.count <= Self.longest else { return false }
        pending += rest
        return true
    }

    /// The next whole line that isn't blank, without its end.
    mutating func next() -> [UInt8]? {
        while nextLine < lines.count {
            let line = lines[nextLine]
            nextLine += 1
            if !line.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { return line }
        }
        lines.removeAll(keepingCapacity: true)
        nextLine = 0
        return nil
    }

    /// Whether a line has begun that didn't end.
    var isWithinLine: Bool { !pending.isEmpty }
}
