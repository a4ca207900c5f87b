import Testing

@testable import Repository

@Suite("Polynomials")
struct PolynomialTests {
    @Test(
        "irreducible ones are told from others",
        arguments: [
            (0x3D_A335_8B4D_C173, true), (0x2, true), (0x3, true), (0x7, true), (0x13, true),
            (0x5, false), (0x6, false), (0x15, false), (0x1, false), (0x0, false), (0x20_0000_0000_0001, false),
        ]
    )
    func irreducible(bits: UInt64, expected: Bool) {
        #expect(Polynomial(bits: bits).isIrreducible == expected)
    }

    @Test("small ones agree with trial division")
    func trialDivision() {
        for bits in UInt64(2)..<2048 {
            let polynomial = Polynomial(bits: bits)
            let hasFactor = (UInt64(2)..<bits).contains { polynomial.remainder(Polynomial(bits: $0)).bits == 0 }
            #expect(polynomial.isIrreducible == !hasFactor)
        }
    }

    @Test("new ones are irreducible, of degree 53, and differ")
    func random() throws {
        let made = try (0..<5).map { _ in try Polynomial.random() }
        #expect(made.allSatisfy { $0.isIrreducible && $0.degree == 53 && $0.bits & 1 == 1 })
        #expect(Set(made.map(\.bits)).count == 5)
    }
}

@Suite("Names and JSON")
struct TextTests {
    @Test(
        "names are spelled as Go's strconv.Quote spells them, and read back",
        arguments: [
            (Array("plain name.bson".utf8), "plain name.bson"), (Array(#"a"b\c'"#.utf8), #"a\"b\\c'"#),
            ([0x07, 0x08, 0x0C, 0x0A, 0x0D, 0x09, 0x0B, 0x00, 0x1F, 0x7F], #"\a\b\f\n\r\t\v\x00\x1f\x7f"#),
            ([0xFF, 0x61, 0xC3], #"\xffa\xc3"#), ([0xC0, 0x80], #"\xc0\x80"#), ([0xED, 0xA0, 0x80], #"\xed\xa0\x80"#),
            (Array("ü日🐟".utf8), "ü日🐟"), (Array("\u{2028}\u{A0}\u{200B}".utf8), #"\u2028\u00a0\u200b"#),
            (Array("\u{10FFFF}\u{E000}\u{FFFD}".utf8), "\\U0010ffff\\ue000\u{FFFD}"),
            (Array("\u{85}".utf8), #"\u0085"#),
        ] as [([UInt8], String)]
    )
    func quote(name: [UInt8], spelled: String) {
        #expect(String(decoding: GoQuote.quote(name), as: UTF8.self) == spelled)
        #expect(GoQuote.unquote(Array(spelled.utf8)) == name)
    }

    @Test("any bytes survive being spelled, and escaped as JSON")
    func anyBytes() throws {
        var random = SplitMix(1)
        for _ in 0..<2000 {
            let name = random.bytes(Int(random.next() % 12))
            var json: [UInt8] = []
            JSONText.append(utf8: GoQuote.quote(name), to: &json)
            let back = try json.withUnsafeBytes { bytes in
                var scanner = JSONScanner(bytes)
                return try scanner.stringBytes()
            }
            #expect(GoQuote.unquote(back) == name)
        }
    }

    @Test(
        "bad spellings are refused",
        arguments: [#"\"#, #"\q"#, #"\x1"#, #"\u12"#, #"\ud800"#, #"\400"#, #"a"b"#, "a\nb"]
    )
    func badQuotes(text: String) { #expect(GoQuote.unquote(Array(text.utf8)) == nil) }

    @Test("strings are escaped as Go escapes them")
    func escapes() {
        var json: [UInt8] = []
        JSONText.append("<a&b>\"\\\u{1}\n\r\t\u{2028}\u{2029}é/", to: &json)
        let expected = #""\u003ca\u0026b\u003e\"\\\u0001\n\r\t\u2028\u2029é/""#
        #expect(String(decoding: json, as: UTF8.self) == expected)
        json = []
        JSONText.append(utf8: [0x61, 0xFF, 0x62], to: &json)
        #expect(String(decoding: json, as: UTF8.self) == #""a\ufffdb""#)
    }

    private func scan<Value>(_ text: String, _ body: (inout JSONScanner) throws -> Value) throws -> Value {
        try Array(text.utf8).withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            let value = try body(&scanner)
            try scanner.expectEnd()
            return value
        }
    }

    @Test("numbers are exact up to 64 bits")
    func numbers() throws {
        #expect(try scan(" 18446744073709551615 ") { try $0.uint64() } == UInt64.max)
        #expect(try scan("9007199254740993") { try $0.uint64() } == 9_007_199_254_740_993)
        for bad in ["18446744073709551616", "-1", "1.5", "1e3", "", "x"] {
            #expect(throws: JSONError.self) { try scan(bad) { try $0.uint64() } }
        }
        #expect(throws: JSONError.self) { try scan("4294967296") { try $0.uint32() } }
    }

    @Test("escapes in strings are resolved, surrogates in pairs only")
    func unescape() throws {
        #expect(try scan(#""\u0041\ud83d\udc1f\/\b\f\n\r\t""#) { try $0.string() } == "A🐟/\u{8}\u{C}\n\r\t")
        #expect(try scan(#""\ud83dx\udc1f""#) { try $0.string() } == "\u{FFFD}x\u{FFFD}")
        for bad in [#""\x""#, #""\u12""#, #"""#, "\"\n\"", #""\"#] {
            #expect(throws: JSONError.self) { try scan(bad) { try $0.string() } }
        }
    }

    @Test("unknown values of every kind are skipped")
    func skip() throws {
        try scan(#"{"a":[1,-2.5e+3,true,false,null,"x\"y",{"b":{}}],"c":[]}"#) { try $0.skip() }
        for bad in ["[", "{", "[1,]", "{\"a\"}", "[1 2]", "nul", "+", String(repeating: "[", count: 100_000)] {
            #expect(throws: JSONError.self) { try scan(bad) { try $0.skip() } }
        }
    }

    @Test(
        "times are RFC 3339 as Go writes them",
        arguments: [
            ("1970-01-01T00:00:00Z", 0, 0), ("2009-02-13T23:31:30.123456789Z", 1_234_567_890, 123_456_789),
            ("2024-02-29T12:00:00.5Z", 1_709_208_000, 500_000_000), ("1969-12-31T23:59:55.000000001Z", -5, 1),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0), ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
        ]
    )
    func times(text: String, seconds: Int64, nanoseconds: Int32) {
        #expect(Timestamp(text) == Timestamp(seconds: seconds, nanoseconds: nanoseconds))
        #expect(Timestamp(seconds: seconds, nanoseconds: nanoseconds).description == text)
    }

    @Test("zones are counted in, and times without one are refused")
    func zones() {
        #expect(Timestamp("2024-01-01T01:30:00+01:30") == Timestamp("2024-01-01T00:00:00Z"))
        #expect(Timestamp("2023-12-31T22:00:00.1234567891-02:00")?.nanoseconds == 123_456_789)
        for bad in [
            "2024-01-01T00:00:00", "2024-01-01 00:00:00Z", "2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z", "2024-01-01T00:00:00.Z", "", "2024-01-01T00:00:00Zx",
        ] { #expect(Timestamp(bad) == nil) }
    }

    @Test("base64 is the standard one")
    func base64() {
        for (bytes, text) in [
            ([], ""), ([0x66], "Zg=="), ([0x66, 0x6F], "Zm8="), ([0x66, 0x6F, 0x6F], "Zm9v"), ([0xFB, 0xFF], "+/8="),
        ] as [([UInt8], String)] {
            #expect(Base64.encode(bytes) == text)
            #expect(Base64.decode(Array(text.utf8)) == bytes)
        }
        for bad in ["Z", "Zg=", "Z===", "Zm9*", "Zg==Zg=="] { #expect(Base64.decode(Array(bad.utf8)) == nil) }
    }
}

@Suite("Packs and index")
struct PackTests {
    private func id(_ number: UInt64) -> ObjectID {
        ObjectID(word0: number &* 0x9E37_79B9_7F4A_7C15, word1: number, word2: 3, word3: 4)
    }

    @Test("a pack is filled in the memory of one before it")
    func packMemory() {
        var memory: [UInt8] = []
        memory.reserveCapacity(100_000)
        memory.append(7)
        func address(_ bytes: [UInt8]) -> UnsafeRawPointer? { bytes.withUnsafeBytes { $0.baseAddress } }
        let place = address(memory)
        var pack = PackBuilder(type: .data, storage: &memory, capacity: 90_000)
        #expect(memory == [])
        #expect(pack.bytes == [])
        [UInt8](repeating: 1, count: 80_000).withUnsafeBytes { pack.append($0, id: .zero, plainLength: nil) }
        #expect(pack.bytes.count == 80_000)
        #expect(address(pack.bytes) == place)
    }

    @Test("a header reads back, with offsets that follow from lengths")
    func header() {
        let blobs = [
            IndexedBlob(id: id(1), type: .data, offset: 0, length: 100, plainLength: 0),
            IndexedBlob(id: id(2), type: .tree, offset: 100, length: 50, plainLength: 7000),
            IndexedBlob(id: id(3), type: .data, offset: 150, length: 32, plainLength: 1),
        ]
        let bytes = PackHeader.encode(blobs)
        #expect(bytes.count == 37 + 41 + 41)
        #expect(PackHeader.sealedLength(blobs) == bytes.count + 36)
        #expect(PackHeader.decode(bytes) == blobs)
        #expect(PackHeader.decode(Array(bytes.dropLast())) == nil)
        #expect(PackHeader.decode([9] + bytes.dropFirst()) == nil)
    }

    @Test("an index file is byte for byte as restic writes it")
    func indexText() throws {
        let pack = IndexedPack(
            id: id(9),
            blobs: [
                IndexedBlob(id: id(1), type: .data, offset: 0, length: 100, plainLength: 0),
                IndexedBlob(id: id(2), type: .tree, offset: 100, length: 50, plainLength: 7000),
            ]
        )
        let text = String(decoding: IndexFile.write([pack]), as: UTF8.self)
        #expect(
            text == """
                {"packs":[{"id":"\(id(9))","blobs":[{"id":"\(id(1))","type":"data","offset":0,"length":100},\
                {"id":"\(id(2))","type":"tree","offset":100,"length":50,"uncompressed_length":7000}]}]}

                """
        )
        var read: [IndexedPack] = []
        let foreign = #"{"supersedes":["x"],"packs_to_delete":[{"id":"y"}],"# + text.dropFirst()
        try IndexFile.read(Array(foreign.utf8)) { read.append($0) }
        #expect(read == [pack])
    }

    @Test("the index finds every blob among many, in at most 64 bytes each")
    func table() {
        var index = RepositoryIndex()
        let count: UInt64 = 200_000
        let blobs = (0..<count).map {
            IndexedBlob(
                id: id($0),
                type: $0 % 100 == 0 ? .tree : .data,
                offset: UInt32($0),
                length: 40,
                plainLength: UInt32($0 % 7)
            )
        }
        for (number, begin) in stride(from: 0, to: blobs.count, by: 1000).enumerated() {
            index.add(
                file: id(1 << 40 + UInt64(number)),
                [IndexedPack(id: id(1 << 41 + UInt64(number)), blobs: Array(blobs[begin..<begin + 1000]))]
            )
        }
        for (number, blob) in blobs.enumerated() {
            let found = index.find(blob.id, blob.type)
            #expect(found?.offset == number && found?.pack == id(1 << 41 + UInt64(number / 1000)))
            #expect(index.find(blob.id, blob.type == .data ? .tree : .data) == nil)
        }
        #expect(index.find(id(count + 5), .data) == nil)
        #expect(index.memory <= Int(count) * 64)
    }

    @Test("ids are read from 64 hex digits and nothing else")
    func ids() {
        let hex = String(repeating: "0123456789abcdef", count: 4)
        #expect(ObjectID(hex: hex)?.hex == hex)
        #expect(ObjectID(hex: hex.uppercased())?.hex == hex)
        #expect(ObjectID(hex: hex.dropLast()) == nil)
        #expect(ObjectID(hex: hex.dropLast() + "g") == nil)
        #expect(ObjectID(bytes: Array(repeating: 1, count: 31)) == nil)
    }

    @Test("chunks that lie together are one request, and a pack of which much is wanted is fetched whole")
    func fetchPlan() {
        func location(_ pack: UInt64, _ offset: Int, _ length: Int, end: Int = 16 << 20) -> BlobLocation {
            BlobLocation(
                id: id(UInt64(offset)),
                type: .data,
                pack: id(pack),
                offset: offset,
                length: length,
                plainLength: nil,
                packEnd: end
            )
        }
        let plan = FetchPlan([
            location(1, 0, 1000), location(2, 0, 8 << 20), location(1, 2000, 1000), location(1, 10 << 20, 500),
            location(1, 0, 1000), location(3, 5, 100 << 20, end: 128 << 20),
        ])
        #expect(
            plan.extents == [
                FetchPlan.Extent(pack: id(1), range: 0..<3000, chunks: 3),
                FetchPlan.Extent(pack: id(1), range: 10 << 20..<10 << 20 + 500, chunks: 1),
                FetchPlan.Extent(pack: id(2), range: nil, chunks: 1),
                FetchPlan.Extent(pack: id(3), range: 5..<5 + 100 << 20, chunks: 1),
            ]
        )
        #expect(plan.extentOfChunk == [0, 2, 0, 1, 0, 3])
    }
}
