import BackupModel
import Kubernetes
import Testing

@Suite("JSON trees and our types")
struct CodingTests {
    private struct Inner: Codable, Hashable {
        var count: Int?
        var names: [String]
    }

    private struct Outer: Codable, Hashable {
        var title: String
        var ratio: Double
        var flag: Bool?
        var inner: Inner?
        var list: [Inner]
        var map: [String: Int64]
    }

    private let text = """
        {"title":"é","ratio":2,"inner":{"count":3,"names":["a"],"unknown":[1]},"list":[{"names":[]}],
        "map":{"x":9007199254740993},"new":null}
        """

    @Test("a value is read with whole numbers kept exact and unknown fields ignored")
    func decode() throws {
        let value = try JSONTree(parsing: text).decode(Outer.self)
        #expect(value.title == "é" && value.ratio == 2 && value.flag == nil)
        #expect(value.inner == Inner(count: 3, names: ["a"]) && value.list == [Inner(count: nil, names: [])])
        #expect(value.map == ["x": 9_007_199_254_740_993])
        #expect(try JSONTree(encoding: value).decode(Outer.self) == value)
    }

    @Test(
        "what doesn't fit is refused with the field's path",
        arguments: [
            (#"{"title":1}"#, "title: a text was expected, found a number"),
            (
                #"{"title":"","ratio":1,"list":[{"names":["a",true]}],"map":{}}"#,
                "list[0].names[1]: a text was expected"
            ),
            (#"{"title":"","ratio":1,"list":[{}],"map":{}}"#, "list[0].names: is missing"),
            (#"{"title":"","ratio":1,"list":[],"map":{"a":1.5}}"#, "map.a: a whole number was expected, found 1.5"),
            (#"{"title":"","ratio":1,"list":{},"map":{}}"#, "list: a list was expected, found an object"),
            ("[]", "an object was expected, found a list"),
        ]
    )
    func refused(text: String, message: String) throws {
        let tree = try JSONTree(parsing: text)
        let error = #expect(throws: JSONCodingError.self) { try tree.decode(Outer.self) }
        #expect(error?.description.hasPrefix(message) == true, "\(String(describing: error))")
    }

    @Test("merging a value changes what its type knows, removes what is nil, and keeps everything else")
    func merge() throws {
        var object = KubernetesObject([
            "status": ["title": "old", "flag": true, "foreign": ["a": 1], "inner": ["x": 1]]
        ])
        let value = Outer(
            title: "new",
            ratio: 0.5,
            inner: Inner(count: nil, names: []),
            list: [Inner(count: nil, names: ["n"])],
            map: [:]
        )
        try object.merge(value, at: "status")
        #expect(
            object["status"]
                == [
                    "title": "new", "ratio": 0.5, "foreign": ["a": 1], "inner": ["x": 1, "names": []],
                    "list": [["names": ["n"]]], "map": [:],
                ]
        )
        #expect(try object.decode(Outer.self, at: "status") == value)
        let error = #expect(throws: JSONCodingError.self) { try object.decode(Outer.self, at: "spec") }
        #expect(error?.description == "spec: is missing")
    }

    @Test("the model's specs and statuses go through a tree and back")
    func model() throws {
        let status = BackupConfigurationStatus(lastScheduleTime: Timestamp(unixMs: 1_787_392_800_250))
        let tree = try JSONTree(encoding: status)
        #expect(tree["lastScheduleTime"]?.string?.hasSuffix(".250Z") == true)
        #expect(try tree.decode(BackupConfigurationStatus.self) == status)
        let opaque = try JSONTree(parsing: #"{"a":[1,2.5,true,null,"x"]}"#)
        #expect(try JSONTree(encoding: opaque.decode(OpaqueValue.self)) == opaque)
    }

    @Test("a number that JSON doesn't have is refused")
    func infinite() {
        let error = #expect(throws: JSONCodingError.self) { try JSONTree(encoding: ["a": Double.infinity]) }
        #expect(error?.path == "a")
    }
}

@Suite("Kubernetes objects")
struct ObjectTests {
    @Test("metadata is read and written without touching what isn't known")
    func metadata() throws {
        var object = KubernetesObject(
            try JSONTree(
                parsing: """
                    {"kind":"Pod","apiVersion":"v1","extra":1,"metadata":{"name":"a","namespace":"n","uid":"u",
                    "generation":7,"deletionTimestamp":"2026-08-22T10:00:00Z","labels":{"x":"y"},"future":[1],
                    "ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"s","uid":"o","controller":true}]}}
                    """
            )
        )
        #expect(object.key == ObjectKey(namespace: "n", name: "a") && object.uid == "u" && object.generation == 7)
        #expect(object.isBeingDeleted && object.deletionTime == Timestamp("2026-08-22T10:00:00Z"))
        #expect(object.controller?.name == "s" && object.annotations.isEmpty)
        object.labels["z"] = "w"
        object.finalizers = ["remora.dev/cleanup"]
        object.ownerReferences.append(OwnerReference(object, isController: false))
        #expect(object.labels == ["x": "y", "z": "w"] && object.metadata["future"] == [1] && object["extra"] == 1)
        #expect(object.ownerReferences.map(\.name) == ["s", "a"])
        object.finalizers = []
        #expect(object.metadata["finalizers"] == nil)
    }

    @Test("a time for a lease has exactly six digits behind the point")
    func microTime() {
        #expect(Timestamp(unixSeconds: 0).microTime == "1970-01-01T00:00:00.000000Z")
        #expect(Timestamp(unixMs: 1_787_392_800_007).microTime.hasSuffix(":00.007000Z"))
    }
}
