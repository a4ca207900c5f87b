/// The repository's `config` file: sealed JSON, not compressed.
struct Configuration: Sendable, Equatable {
    var version: Int
    var id: String
    var chunkerPolynomial: String

    /// A new one, with a random id and polynomial.
    static func random() throws -> Configuration {
        let id = try Random.bytes(32).map { hexText($0) }.joined()
        return Configuration(version: 2, id: id, chunkerPolynomial: try Polynomial.random().description)
    }

    /// The JSON, in restic's field order.
    var json: [UInt8] {
        var object = JSONObjectWriter()
        object.member("version", version)
        object.member("id", id)
        object.member("chunker_polynomial", chunkerPolynomial)
        return object.finish()
    }

    init(version: Int, id: String, chunkerPolynomial: String) {
        self.version = version
        self.id = id
        self.chunkerPolynomial = chunkerPolynomial
    }

    init(json: [UInt8]) throws {
        self.init(version: 0, id: "", chunkerPolynomial: "")
        try json.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.object { scanner, key in
                switch key {
                case "version": version = Int(try scanner.uint32())
                case "id": id = try scanner.string()
                case "chunker_polynomial": chunkerPolynomial = try scanner.string()
                default: try scanner.skip()
                }
            }
            try scanner.expectEnd()
        }
    }
}
