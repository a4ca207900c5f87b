/// Files in the order they were added, as POSIX `ustar` (IEEE Std 1003.1, "ustar Interchange Format").
struct TarArchive: Sendable {
    private var bytes: [UInt8] = []
    /// Every file's time, in seconds since 1970.
    private let time: Int64

    private static let block = 512
    /// Longest name that needs no splitting.
    static let longestName = 100

    init(unixSeconds: Int64) { time = max(0, unixSeconds) }

    /// Adds a file that its owner may read; a longer name than 100 bytes is cut.
    mutating func add(_ name: String, _ content: [UInt8]) {
        var header = [UInt8](repeating: 0, count: Self.block)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
        }
        func octal(_ value: Int64, digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        put(Self.fitting(name), at: 0)
        put("0000600", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(octal(Int64(content.count), digits: 11), at: 124)
        put(octal(time, digits: 11), at: 136)
        // The checksum counts its own field as spaces.
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        put(octal(header.reduce(0) { $0 + Int64($1) }, digits: 6) + "\0 ", at: 148)
        bytes += header
        bytes += content
        bytes += [UInt8](repeating: 0, count: (Self.block - content.count % Self.block) % Self.block)
    }

    /// The whole archive, with the two empty blocks at its end.
    func finished() -> [UInt8] { bytes + [UInt8](repeating: 0, count: 2 * Self.block) }

    private static func fitting(_ name: String) -> String {
        var result = ""
        for character in name {
            guard result.utf8.count + character.utf8.count <= longestName else { break }
            result.append(character)
        }
        return result
    }
}
