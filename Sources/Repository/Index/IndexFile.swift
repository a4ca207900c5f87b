/// An index file's JSON (restic design.rst, "Indexing").
enum IndexFile {
    /// Calls `body` with each pack.
    static func read(_ json: [UInt8], _ body: (IndexedPack) throws -> Void) throws {
        try json.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            // Very old repositories have an array of packs at the top.
            if try scanner.peek() == 0x5B {
                try scanner.array { scanner in try body(try pack(&scanner)) }
            } else {
                try scanner.object { scanner, key in
                    switch key {
                    case "packs":
                        guard try !scanner.null() else { return }
                        try scanner.array { scanner in try body(try pack(&scanner)) }
                    default: try scanner.skip()
                    }
                }
            }
            try scanner.expectEnd()
        }
    }

    private static func pack(_ scanner: inout JSONScanner) throws -> IndexedPack {
        var id: PackID?
        var blobs: [IndexedBlob] = []
        try scanner.object { scanner, key in
            switch key {
            case "id": id = try scanner.id()
            case "blobs":
                guard try !scanner.null() else { return }
                try scanner.array { scanner in blobs.append(try blob(&scanner)) }
            default: try scanner.skip()
            }
        }
        guard let id else { throw scanner.failure("a pack without its id") }
        return IndexedPack(id: id, blobs: blobs)
    }

    private static func blob(_ scanner: inout JSONScanner) throws -> IndexedBlob {
        var id: BlobID?
        var type: BlobType?
        var blob = IndexedBlob(id: .zero, type: .data, offset: 0, length: 0, plainLength: 0)
        try scanner.object { scanner, key in
            switch key {
            case "id": id = try scanner.id()
            case "type":
                switch try scanner.rawString() {
                case "data": type = .data
                case "tree": type = .tree
                default: throw scanner.failure("a blob of unknown type")
                }
            case "offset": blob.offset = try scanner.uint32()
            case "length": blob.length = try scanner.uint32()
            case "uncompressed_length": blob.plainLength = try scanner.uint32()
            default: try scanner.skip()
            }
        }
        guard let id, let type else { throw scanner.failure("a blob without its id or type") }
        guard blob.length >= UInt32(CryptoContext.overhead), !blob.offset.addingReportingOverflow(blob.length).overflow
        else {
            throw scanner.failure("a blob with an impossible offset or length")
        }
        blob.id = id
        blob.type = type
        return blob
    }

    /// The JSON of packs: every pack whole, which readers demand.
    static func write(_ packs: [IndexedPack]) -> [UInt8] {
        var text = Array(#"{"packs":["#.utf8)
        text.reserveCapacity(packs.reduce(64) { $0 + 96 + $1.blobs.count * 190 })
        for (number, pack) in packs.enumerated() {
            if number > 0 { text.append(0x2C) }
            text += Array(#"{"id":""#.utf8)
            text += Array(pack.id.hex.utf8)
            text += Array(#"","blobs":["#.utf8)
            for (number, blob) in pack.blobs.enumerated() {
                if number > 0 { text.append(0x2C) }
                var object = JSONObjectWriter()
                object.member("id", blob.id)
                object.member("type", blob.type.description)
                object.member("offset", blob.offset)
                object.member("length", blob.length)
                if blob.plainLength != 0 { object.member("uncompressed_length", blob.plainLength) }
                text += object.finish()
            }
            text += Array("]}".utf8)
        }
        text += Array("]}\n".utf8)
        return text
    }
}
