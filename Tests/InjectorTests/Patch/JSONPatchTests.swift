import Injector
import Kubernetes
import Testing

@Suite("JSON patches")
struct JSONPatchTests {
    @Test("names with ~ and / survive", arguments: ["a/b", "a~b", "~1", "~0", "/", "~/~", "remora.dev/x"])
    func escapes(name: String) throws {
        let pointer = JSONPointer("metadata", name)
        #expect(JSONPointer(parsing: pointer.description) == pointer)
    }

    @Test("a name is escaped as RFC 6901 has it")
    func escaped() { #expect(JSONPointer("m~n", "a/b").description == "/m~0n/a~1b") }

    @Test(
        "operations do what RFC 6902 has them do",
        arguments: [
            (#"{"a":[1,2]}"#, #"[{"op":"add","path":"/a/-","value":3}]"#, #"{"a":[1,2,3]}"#),
            (#"{"a":[1,2]}"#, #"[{"op":"add","path":"/a/0","value":0}]"#, #"{"a":[0,1,2]}"#),
            (#"{"a":[1,2]}"#, #"[{"op":"replace","path":"/a/1","value":9}]"#, #"{"a":[1,9]}"#),
            (#"{"a":{"b":1}}"#, #"[{"op":"add","path":"/a/c~1d","value":null}]"#, #"{"a":{"b":1,"c/d":null}}"#),
            (#"{"a":{"b":1}}"#, #"[{"op":"remove","path":"/a/b"}]"#, #"{"a":{}}"#),
            (#"{"a":{"b":1}}"#, #"[{"op":"add","path":"/a","value":2}]"#, #"{"a":2}"#),
            (
                #"{"a":[[1]]}"#, #"[{"op":"add","path":"/a/0/1","value":2},{"op":"remove","path":"/a/0/0"}]"#,
                #"{"a":[[2]]}"#
            ),
        ]
    )
    func applied(tree: String, patch: String, result: String) throws {
        let patch = try JSONPatch(JSONTree(parsing: patch))
        #expect(try patch.applied(to: JSONTree(parsing: tree)) == JSONTree(parsing: result))
        #expect(try JSONPatch(patch.tree) == patch)
    }

    @Test(
        "what has no place isn't applied",
        arguments: [
            #"[{"op":"add","path":"/x/y","value":1}]"#, #"[{"op":"add","path":"/a/3","value":1}]"#,
            #"[{"op":"add","path":"/a/01","value":1}]"#,
            #"[{"op":"replace","path":"/x","value":1}]"#, #"[{"op":"replace","path":"/a/-","value":1}]"#,
            #"[{"op":"remove","path":"/a/2"}]"#,
            #"[{"op":"add","path":"/s/x","value":1}]"#, #"[{"op":"remove","path":""}]"#,
        ]
    )
    func noPlace(patch: String) throws {
        let patch = try JSONPatch(JSONTree(parsing: patch))
        #expect(throws: JSONPatchError.self) { try patch.applied(to: ["a": [1, 2], "s": "text"]) }
    }

    @Test(
        "what is no patch isn't read",
        arguments: [
            "{}", #"[{"op":"test","path":"/a","value":1}]"#, #"[{"op":"add","path":"/a"}]"#,
            #"[{"op":"add","path":"a","value":1}]"#,
        ]
    )
    func malformed(text: String) throws {
        let tree = try JSONTree(parsing: text)
        #expect(throws: JSONPatchError.self) { try JSONPatch(tree) }
    }
}
