/// An element of the small XML documents that S3 answers with.
struct XMLNode: Sendable {
    /// The name without its namespace prefix.
    var name: String
    /// The character data directly inside it, entities resolved.
    var text = ""
    /// The elements directly inside it.
    var children: [XMLNode] = []

    /// The text of the first child with that name.
    subscript(_ name: String) -> String? {
        children.first { $0.name == name }?.text
    }

    /// All children with that name.
    func all(_ name: String) -> [XMLNode] {
        children.filter { $0.name == name }
    }

    /// Reads a document.
    ///
    /// Strict: one root, tags that match, the five entities and character references of XML 1.0, UTF-8. A document type
    /// is refused, because nothing that S3 sends has one and entities of one's own are how XML attacks.
    static func parse(_ bytes: [UInt8]) throws(XMLError) -> XMLNode {
        var parser = XMLParser(bytes)
        return try parser.document()
    }
}

/// Why a document is none.
struct XMLError: Error, CustomStringConvertible {
    var reason: String
    var offset: Int
    var description: String { "\(reason) at byte \(offset)" }
}

private struct XMLParser {
    private let bytes: [UInt8]
    private var position = 0
    private var open: [XMLNode] = []
    private static let maximumDepth = 32

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // A byte order mark, which UTF-8 doesn't need, may stand first.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    mutating func document() throws(XMLError) -> XMLNode {
        var root: XMLNode?
        while position < bytes.count {
            if bytes[position] != UInt8(ascii: "<") {
                try characterData()
            } else if skip("<?") {
                _ = try through("?>")
            } else if skip("<!--") {
                _ = try through("-->")
            } else if skip("<![CDATA[") {
                let text = try through("]]>")
                guard !open.isEmpty else { throw error("text outside the root element") }
                open[open.count - 1].text += try string(text)
            } else if skip("<!") {
                throw error("a document type, which isn't accepted")
            } else if skip("</") {
                if let closed = try endTag() { root = closed }
            } else {
                position += 1
                guard root == nil else { throw error("a second root element") }
                if let closed = try startTag() { root = closed }
            }
        }
        guard open.isEmpty else { throw error("the end comes inside <\(open.last?.name ?? "")>") }
        guard let root else { throw error("no root element") }
        return root
    }

    private mutating func startTag() throws(XMLError) -> XMLNode? {
        let name = try name()
        guard open.count < Self.maximumDepth else { throw error("elements nest too deep") }
        while true {
            skipSpace()
            if skip("/>") {
                return close(XMLNode(name: name))
            }
            if skip(">") {
                open.append(XMLNode(name: name))
                return nil
            }
            _ = try self.name()
            skipSpace()
            guard skip("=") else { throw error("an attribute without value") }
            skipSpace()
            if skip("\"") {
                _ = try through("\"")
            } else if skip("'") {
                _ = try through("'")
            } else {
                throw error("an attribute's value without quotes")
            }
        }
    }

    private mutating func endTag() throws(XMLError) -> XMLNode? {
        let name = try name()
        skipSpace()
        guard skip(">"), let node = open.popLast(), node.name == name else { throw error("</\(name)> matches nothing") }
        return close(node)
    }

    /// Hangs the element into its parent; without one it is the root.
    private mutating func close(_ node: XMLNode) -> XMLNode? {
        guard !open.isEmpty else { return node }
        open[open.count - 1].children.append(node)
        return nil
    }

    private mutating func characterData() throws(XMLError) {
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") { position += 1 }
        let part = bytes[start..<position]
        guard !open.isEmpty else {
            guard part.allSatisfy(Self.isSpace) else { throw error("text outside the root element") }
            return
        }
        guard part.contains(UInt8(ascii: "&")) else {
            open[open.count - 1].text += try string(part)
            return
        }
        var resolved: [UInt8] = []
        var rest = part
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "&") else {
                resolved.append(byte)
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: ";")) else { throw error("an entity without end") }
            resolved += try entity(try string(rest[..<end]))
            rest = rest[(end + 1)...]
        }
        open[open.count - 1].text += try string(resolved[...])
    }

    private func entity(_ name: String) throws(XMLError) -> [UInt8] {
        switch name {
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "amp": return [UInt8(ascii: "&")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default:
            let number = name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : UInt32(name.dropFirst())
            guard name.hasPrefix("#"), let scalar = number.flatMap(Unicode.Scalar.init) else {
                throw error("an unknown entity")
            }
            return Array(String(Character(scalar)).utf8)
        }
    }

    /// A name without its namespace prefix.
    private mutating func name() throws(XMLError) -> String {
        let start = position
        while position < bytes.count, !Self.isSpace(bytes[position]), !"<>/='\"&".utf8.contains(bytes[position]) {
            position += 1
        }
        guard position > start else { throw error("a name is missing") }
        let name = try string(bytes[start..<position])
        return name.split(separator: ":").last.map(String.init) ?? name
    }

    private mutating func through(_ end: StaticString) throws(XMLError) -> ArraySlice<UInt8> {
        let start = position
        while position < bytes.count {
            let here = position
            if skip(end) { return bytes[start..<here] }
            position += 1
        }
        throw error("'\(end)' is missing")
    }

    private mutating func skip(_ text: StaticString) -> Bool {
        let isThere = text.withUTF8Buffer { bytes[position...].starts(with: $0) }
        if isThere { position += text.utf8CodeUnitCount }
        return isThere
    }

    private mutating func skipSpace() {
        while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
    }

    private func string(_ part: ArraySlice<UInt8>) throws(XMLError) -> String {
        guard let text = String(validating: part, as: UTF8.self) else { throw error("bytes that aren't UTF-8") }
        return text
    }

    private func error(_ reason: String) -> XMLError { XMLError(reason: reason, offset: position) }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
    }
}
