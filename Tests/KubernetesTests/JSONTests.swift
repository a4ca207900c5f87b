import Kubernetes
import Testing

@Suite("JSON trees")
struct JSONTests {
    @Test(
        "what is read is written again, members sorted",
        arguments: [
            ("null", "null"), (" [1 , -2,0, 9223372036854775807] ", "[1,-2,0,9223372036854775807]"),
            ("{\"b\":1,\"a\":{\"c\":[]}}", "{\"a\":{\"c\":[]},\"b\":1}"), ("1.5e3", "1500.0"),
            (#""\u00e9\ud83d\ude00\n\/""#, "\"é😀\\n/\""), (#""\ud800x""#, "\"\u{FFFD}x\""),
            (#""\u0001""#, #""\u0001""#), ("18446744073709551615", "1.8446744073709552e+19"),
        ]
    )
    func roundTrip(text: String, expected: String) throws {
        let value = try JSONTree(parsing: text)
        #expect(value.description == expected)
        #expect(try JSONTree(parsing: value.bytes) == value)
    }

    @Test(
        "what isn't JSON is refused, with the place",
        arguments: [
            ("", 0), ("{", 1), ("[1,]", 3), ("{\"a\" 1}", 5), ("01", 1), ("1.", 2), ("nul", 3), ("\"a", 2),
            ("[1] 2", 4),
            ("\"\\x\"", 3), ("1e999", 0), ("-", 1), ("\"\n\"", 1), ("tru e", 3), ("{1:2}", 1),
        ]
    )
    func refused(text: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONTree(parsing: text) }
        #expect(error?.offset == offset)
    }

    @Test("nesting is bounded, so that no text exhausts the stack")
    func nesting() throws {
        let deep = JSONTree.deepest
        _ = try JSONTree(parsing: String(repeating: "[", count: deep) + String(repeating: "]", count: deep))
        #expect(throws: JSONError.self) { try JSONTree(parsing: String(repeating: "[", count: 1_000_000)) }
    }

    @Test("members are read, set and removed by name")
    func members() {
        var pod: JSONTree = ["metadata": ["name": "mongo-0"]]
        #expect(pod[path: "metadata", "name"]?.string == "mongo-0")
        #expect(pod[path: "spec", "containers"] == nil)
        pod["spec"] = ["containers": [["name": "mongod"]]]
        #expect(pod["spec"]?["containers"]?[0]?["name"] == "mongod")
        #expect(pod["spec"]?["containers"]?[1] == nil)
        pod["metadata"] = nil
        #expect(pod == ["spec": ["containers": [["name": "mongod"]]]])
    }
}
