import BSON
import Testing

/// A document with every type that BSON has, deprecated ones too.
let everyType: BSONDocument = [
    "_id": .objectID(BSONObjectID([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) ?? neverObjectID),
    "double": 1.5, "string": "Ünïcode \u{1F420} \"quoted\"\n", "document": ["a": ["b": ["c": 1]]],
    "array": [1, "two", [3.5, nil]], "binary": .binary(subtype: 0x80, bytes: [0, 255, 1]),
    "old binary": .binary(subtype: 2, bytes: [2, 0, 0, 0, 7, 8]), "empty": .binary(subtype: 0, bytes: []),
    "undefined": .undefined, "true": true, "false": false, "date": .date(-62_135_596_800_000), "null": nil,
    "regex": .regex(pattern: "^a/b$", options: "im"),
    "pointer": .dbPointer(namespace: "db.c", id: neverObjectID), "code": .javascript("x => x"),
    "symbol": .symbol("sym"), "scoped": .javascriptWithScope("y", scope: ["y": 1]), "int": .int32(-7),
    "timestamp": .timestamp(5 << 32 | 6), "long": .int64(.min),
    "decimal": .decimal128(BSONDecimal128(low: 1, high: 0x3040 << 48)),
    "min": .minKey, "max": .maxKey, "": "no name", "dotted.name": 1, "$dollar": 2,
]

private let neverObjectID = BSONObjectID([UInt8](repeating: 0xAB, count: 12)).unsafelyUnwrapped

@Suite("BSON documents")
struct BSONDocumentTests {
    @Test("every type is read back as it was written")
    func everyTypeComesBack() throws {
        let copy = try BSONDocument(validating: everyType.bytes)
        #expect(copy.elements.map(\.value) == everyType.elements.map(\.value))
        let rebuilt = BSONDocument(copy.elements.map { ($0.key, $0.value) })
        #expect(rebuilt.bytes == everyType.bytes)
    }

    @Test("the first of two equal names is found, and paths lead through nested documents")
    func lookup() {
        let document: BSONDocument = ["a": 1, "a": 2, "b": ["c": ["d": "deep"]]]
        #expect(document["a"] == 1)
        #expect(document[path: "b", "c", "d"]?.string == "deep")
        #expect(document["x"] == nil)
        #expect(document.appending("e", 5).keys == ["a", "a", "b", "e"])
    }

    @Test(
        "bytes that lie about their length are refused",
        arguments: [
            [], [5, 0, 0, 0], [4, 0, 0, 0, 0], [6, 0, 0, 0, 0], [5, 0, 0, 0, 1], [255, 255, 255, 127, 0],
            [0, 0, 0, 128, 0], [8, 0, 0, 0, 0x10, 0x61, 0, 0], [12, 0, 0, 0, 2, 0, 200, 0, 0, 0, 0, 0],
            [7, 0, 0, 0, 0x20, 0, 0], [7, 0, 0, 0, 0x0A, 0x61, 0], [5, 0, 0, 0, 0, 0],
        ] as [[UInt8]]
    )
    func hostile(bytes: [UInt8]) {
        #expect(throws: BSONError.self) { try BSONDocument(validating: bytes) }
    }

    @Test("nesting without end is refused, not followed")
    func tooDeep() {
        var document: BSONDocument = [:]
        for _ in 0..<300 { document = ["d": .document(document)] }
        let bytes = document.bytes
        #expect(throws: BSONError.self) { try BSONDocument(validating: bytes) }
    }

    @Test("a hundred thousand mutations of a document throw or parse, and never crash")
    func mutations() throws {
        var random = SplitMix(state: 42)
        let original = everyType.bytes
        var accepted = 0
        for _ in 0..<100_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                case 2: bytes.removeLast(Int.random(in: 0..<min(9, bytes.count), using: &random))
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                }
            }
            guard let document = try? BSONDocument(validating: bytes) else { continue }
            accepted += 1
            // What is accepted can be walked, decoded and shown without an error.
            _ = ExtendedJSON.canonicalBytes(document)
        }
        #expect(accepted > 100)
    }
}

@Suite("BSON sequences")
struct BSONSequenceTests {
    @Test("documents that lie one after the other are found, and a cut one is an error")
    func sequence() throws {
        let bytes = everyType.bytes + ([:] as BSONDocument).bytes + everyType.bytes
        var walk = BSONDocumentSequence(bytes.span.bytes)
        var lengths: [Int] = []
        while let range = try walk.next() { lengths.append(range.count) }
        #expect(lengths == [everyType.bytes.count, 5, everyType.bytes.count])
        #expect(throws: BSONError.self) {
            let cut = [UInt8](bytes.dropLast())
            var walk = BSONDocumentSequence(cut.span.bytes)
            while try walk.next() != nil {}
        }
    }

    @Test("a batch is walked without copies, and anything but documents in it is an error")
    func batch() throws {
        var writer = BSONWriter()
        writer.beginDocument()
        for index in 0..<12 { writer.append(String(index), .document(["_id": .integer(index)])) }
        writer.end()
        let bytes = writer.bytes
        var walk = try BSONDocumentArray(bytes.span.bytes)
        var identifiers: [BSONValue?] = []
        while let range = try walk.next() {
            identifiers.append(try BSONDocument(copying: bytes.span.bytes, range)["_id"])
        }
        #expect(identifiers == (0..<12).map { .integer($0) })
        let wrong = (["0": ["a": 1], "1": 2] as BSONDocument).bytes
        #expect(throws: BSONError.self) {
            var walk = try BSONDocumentArray(wrong.span.bytes)
            while try walk.next() != nil {}
        }
    }

    @Test("a walk over a batch goes on where another one stopped, and nowhere outside the batch")
    func resumedBatch() throws {
        let bytes = (["0": ["a": 1], "1": ["a": 2], "2": ["a": 3]] as BSONDocument).bytes
        var first = try BSONDocumentArray(bytes.span.bytes)
        let place = try #require(try first.next()).upperBound
        var second = try BSONDocumentArray(bytes.span.bytes)
        try second.skip(to: place)
        var values: [BSONValue?] = []
        while let range = try second.next() {
            values.append(try BSONDocument(copying: bytes.span.bytes, range)["a"])
        }
        #expect(values == [.int32(2), .int32(3)])
        for place in [0, 3, bytes.count, Int.max] {
            #expect(throws: BSONError.self) {
                var walk = try BSONDocumentArray(bytes.span.bytes)
                try walk.skip(to: place)
            }
        }
    }

    @Test("the _id is found first, later and not at all")
    func identifier() throws {
        let documents: [(BSONDocument, BSONType?)] = [
            (["_id": "x", "a": 1], .string), (["a": 1, "_id": 2], .int32), (["a": 1, "_idx": 2, "id": 3], nil),
        ]
        for (document, type) in documents {
            let element = try BSONView.idElement(document.bytes.span.bytes, documentAt: 0)
            #expect(element?.type == type)
        }
    }
}

/// A generator whose sequence is the same in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
