/// Status and fields of a response, taken line by line as libcurl brings them.
struct ResponseHead: Sendable {
    private(set) var status = 0
    private(set) var headers = HTTPHeaders()

    /// Takes a line, with or without its line end; true when it ends the head of the final response.
    mutating func take(line: UnsafeRawBufferPointer) -> Bool {
        let text = String(decoding: line, as: UTF8.self).trimmingHTTPSpace()
        if text.hasPrefix("HTTP/") {
            // An interim response (1xx) may have come before.
            let parts = text.split(separator: " ", maxSplits: 2)
            self = ResponseHead()
            status = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        } else if text.isEmpty {
            return status >= 200
        } else if let colon = text.firstIndex(of: ":") {
            headers.append(
                String(text[..<colon]),
                String(text[text.index(after: colon)...]).trimmingHTTPSpace()
            )
        }
        return false
    }

    /// The body's length as the server announces it; nil where it says none, or nonsense.
    var bodyLength: Int? {
        headers["content-length"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }
}

extension String {
    /// Without spaces, tabs and line ends at its ends.
    func trimmingHTTPSpace() -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
        var rest = utf8[...]
        while let byte = rest.first, isSpace(byte) { rest.removeFirst() }
        while let byte = rest.last, isSpace(byte) { rest.removeLast() }
        return String(Substring(rest))
    }
}
