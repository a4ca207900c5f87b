/// A directory's blob: its nodes, ordered by the bytes of their names.
struct Tree: Sendable, Equatable {
    var nodes: [Node]

    /// The blob: one line with a newline at the end, which the stock tool writes too, so ids agree.
    var json: [UInt8] {
        var bytes = Array(#"{"nodes":["#.utf8)
        let ordered = nodes.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for (index, node) in ordered.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            bytes += node.json
        }
        bytes += Array("]}\n".utf8)
        return bytes
    }

    init(nodes: [Node]) { self.nodes = nodes }

    /// Reads a blob.
    init(json: [UInt8]) throws {
        var nodes: [Node] = []
        var hasNodes = false
        try json.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.object { scanner, key in
                switch key {
                case "nodes":
                    hasNodes = true
                    guard try !scanner.null() else { return }
                    try scanner.array { nodes.append(try Self.node(&$0)) }
                default: try scanner.skip()
                }
            }
            try scanner.expectEnd()
            guard hasNodes else { throw scanner.failure("a tree without nodes") }
        }
        self.nodes = nodes
    }

    private static func node(_ scanner: inout JSONScanner) throws -> Node {
        var node = Node(name: [], kind: Node.Kind(""), mode: 0, time: .epoch)
        var name: [UInt8]?
        var rawTarget: [UInt8]?
        try scanner.object { scanner, key in
            switch key {
            case "name": name = try scanner.stringBytes()
            case "type": node.kind = Node.Kind(try scanner.string())
            case "mode": node.mode = try scanner.uint32()
            case "mtime": node.modified = try scanner.timestamp()
            case "atime": node.accessed = try scanner.timestamp()
            case "ctime": node.changed = try scanner.timestamp()
            case "uid": node.uid = try scanner.uint32()
            case "gid": node.gid = try scanner.uint32()
            case "size": node.size = try scanner.uint64()
            case "linktarget": node.linkTarget = try scanner.stringBytes()
            case "linktarget_raw": rawTarget = try scanner.null() ? nil : try scanner.base64()
            case "content":
                guard try !scanner.null() else { return }
                var content: [BlobID] = []
                try scanner.array { content.append(try $0.id()) }
                node.content = content
            case "subtree": node.subtree = try scanner.null() ? nil : try scanner.id()
            default: try scanner.skip()
            }
        }
        guard let name, let plain = GoQuote.unquote(name) else { throw scanner.failure("a node without a proper name") }
        node.name = plain
        if let rawTarget { node.linkTarget = rawTarget }
        return node
    }
}
