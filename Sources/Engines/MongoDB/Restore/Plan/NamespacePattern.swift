/// A namespace pattern: text in which `*` stands for anything, dots included.
///
/// `\*` and `\\` stand for themselves, since MongoDB allows `*` in collection names.
struct NamespacePattern: Sendable, Hashable {
    /// As it was written.
    let text: String
    /// The literal pieces around the wild cards: one more than there are wild cards.
    private let pieces: [[UInt8]]

    /// How many `*` it has.
    var wildcards: Int { pieces.count - 1 }

    /// Reads a pattern; never fails: a pattern that means nothing simply matches nothing.
    init(_ text: String) {
        self.text = text
        var pieces: [[UInt8]] = [[]]
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                if byte != UInt8(ascii: "*"), byte != UInt8(ascii: "\\") {
                    pieces[pieces.count - 1].append(UInt8(ascii: "\\"))
                }
                pieces[pieces.count - 1].append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "*") {
                pieces.append([])
            } else {
                pieces[pieces.count - 1].append(byte)
            }
        }
        if isEscaped { pieces[pieces.count - 1].append(UInt8(ascii: "\\")) }
        self.pieces = pieces
    }

    /// Whether `name` fits.
    func matches(_ name: String) -> Bool { captures(in: name) != nil }

    /// What each `*` stands for in `name`; nil when it doesn't fit.
    ///
    /// Each takes as little as it can, the last one the rest.
    func captures(in name: String) -> [String]? {
        let bytes = Array(name.utf8)
        guard let first = pieces.first, let last = pieces.last else { return nil }
        if wildcards == 0 { return bytes == first ? [] : nil }
        guard bytes.count >= first.count + last.count, bytes.starts(with: first),
            bytes.suffix(last.count).elementsEqual(last)
        else { return nil }
        let end = bytes.count - last.count
        var position = first.count
        var captures: [String] = []
        for piece in pieces.dropFirst().dropLast() {
            guard let found = Self.find(piece, in: bytes, from: position, to: end) else { return nil }
            captures.append(String(decoding: bytes[position..<found], as: UTF8.self))
            position = found + piece.count
        }
        guard position <= end else { return nil }
        captures.append(String(decoding: bytes[position..<end], as: UTF8.self))
        return captures
    }

    /// The name that results when each `*` is replaced by the capture of the same position.
    func filled(with captures: [String]) -> String {
        var name = pieces.first ?? []
        for (capture, piece) in zip(captures, pieces.dropFirst()) {
            name.append(contentsOf: capture.utf8)
            name.append(contentsOf: piece)
        }
        return String(decoding: name, as: UTF8.self)
    }

    private static func find(_ piece: [UInt8], in bytes: [UInt8], from start: Int, to end: Int) -> Int? {
        guard !piece.isEmpty else { return start <= end ? start : nil }
        var position = start
        while position + piece.count <= end {
            if bytes[position..<(position + piece.count)].elementsEqual(piece) { return position }
            position += 1
        }
        return nil
    }
}
