import BSON
import Testing

@Suite("Extended JSON")
struct ExtendedJSONTests {
    @Test("every type comes back from canonical extended JSON")
    func roundTrip() throws {
        let text = ExtendedJSON.canonicalBytes(everyType)
        #expect(try ExtendedJSON.parse(text).bytes == everyType.bytes)
    }

    @Test("collection metadata is written exactly as mongodump writes it")
    func metadata() {
        let document: BSONDocument = [
            "options": ["timeseries": ["timeField": "ts", "bucketMaxSpanSeconds": .int32(3600)]],
            "indexes": [["v": 2, "key": ["_id": 1], "name": "_id_"]], "uuid": "ffa7", "collectionName": "a<b>&c",
        ]
        #expect(
            ExtendedJSON.canonical(document)
                == #"{"options":{"timeseries":{"timeField":"ts","bucketMaxSpanSeconds":{"$numberInt":"3600"}}},"#
                + #""indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}],"#
                + #""uuid":"ffa7","collectionName":"a<b>&c"}"#
        )
    }

    @Test(
        "doubles have the digits of Go's %G",
        arguments: [
            (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (-1.5, "-1.5"), (123_456.0, "123456.0"),
            (1_234_567.0, "1.234567E+06"), (1e6, "1E+06"), (100_000.0, "100000.0"), (0.0001, "0.0001"),
            (0.00001, "1E-05"), (1.25e-7, "1.25E-07"), (1e100, "1E+100"), (Double.leastNonzeroMagnitude, "5E-324"),
            (0.1, "0.1"),
            (.nan, "NaN"), (.infinity, "Infinity"), (-.infinity, "-Infinity"), (3.14, "3.14"),
        ] as [(Double, String)]
    )
    func doubles(number: Double, text: String) throws {
        let document: BSONDocument = ["d": .double(number)]
        let json = ExtendedJSON.canonical(document)
        #expect(json == #"{"d":{"$numberDouble":"\#(text)"}}"#)
        #expect(try ExtendedJSON.parse([UInt8](json.utf8)).bytes == document.bytes || number.isNaN)
    }

    @Test("strings are escaped as the Go driver escapes them")
    func strings() {
        let document: BSONDocument = ["s": "\"\\\n\r\t\u{8}\u{C}\u{1}\u{7F}\u{2028}/é\u{1F420}"]
        #expect(
            ExtendedJSON.canonical(document) == "{\"s\":\"\\\"\\\\\\n\\r\\t\\b\\f\\u0001\u{7F}\\u2028/é\u{1F420}\"}"
        )
    }

    @Test(
        "decimals have the text that the specification prescribes",
        arguments: [
            "0", "-0", "1", "-1.5", "0.000001", "1E-7", "1.0E+3", "9.999999999999999999999999999999999E+6144",
            "1E-6176", "NaN", "Infinity", "-Infinity", "0E+6111", "1234567890123456789012345678901234", "0.00",
            "123.456",
        ]
    )
    func decimals(text: String) throws {
        #expect(try BSONDecimal128(text).description == text)
    }

    @Test(
        "text that is no decimal is refused",
        arguments: [
            "", "1..2", "E5", "x", "12345678901234567890123456789012345", "1E+9999", "1E-9223372036854775808",
        ]
    )
    func badDecimals(text: String) {
        #expect(throws: BSONError.self) { try BSONDecimal128(text) }
    }

    @Test(
        "text that isn't extended JSON is refused with its place",
        arguments: [
            "", "{", "[1]", "{\"a\":}", "{\"a\":1}x", "{\"a\":01x}", "{\"a\":\"\\q\"}",
            "{\"a\":{\"$numberInt\":\"x\"}}",
            "{\"a\":{\"$oid\":\"12\"}}", "{\"a\":{\"$binary\":{\"base64\":\"#\",\"subType\":\"00\"}}}",
            "{\"\\u0000\":1}",
            "{\"a\":{\"$timestamp\":{\"t\":-1,\"i\":0}}}",
        ]
    )
    func badText(text: String) {
        #expect(throws: BSONError.self) { try ExtendedJSON.parse([UInt8](text.utf8)) }
    }

    @Test("relaxed numbers, white space, escapes and surrogates are read")
    func relaxed() throws {
        let text = "{ \"a\" : 1, \"b\":5000000000 ,\"c\":1.5e3, \"d\":\"\\ud83d\\udc20\\/\", \"e\":{\"$gt\":1} }\n"
        let document = try ExtendedJSON.parse([UInt8](text.utf8))
        #expect(document["a"] == .int32(1))
        #expect(document["b"] == .int64(5_000_000_000))
        #expect(document["c"] == .double(1500))
        #expect(document["d"] == "\u{1F420}/")
        #expect(document["e"]?.document?["$gt"] == 1)
    }

    @Test("base64 comes back for every length")
    func base64() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        #expect(Base64.encodeURL([255, 254, 253, 252]) == "__79_A")
    }
}
