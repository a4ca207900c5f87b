import FakeAPIServer
import Foundation
import Kubernetes
import Testing

@Suite("the fake API server: custom resources")
struct DefinitionTests {
    private static let manifests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("manifests/crds").path

    @Test("our own definitions are served")
    func ours() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.apply(directory: Self.manifests)
            let conditions = server.objects("customresourcedefinitions", group: "apiextensions.k8s.io").compactMap {
                $0["status"]?["conditions"]?[1]?["type"]?.string
            }
            #expect(conditions.count >= 5 && Set(conditions) == ["Established"])
            let path = "/apis/remora.dev/v1alpha1/namespaces/shop/repositories"
            let repository: JSONTree = [
                "apiVersion": "remora.dev/v1alpha1", "kind": "Repository", "metadata": ["name": "main"],
                "spec": ["backend": ["storageSecretName": "s", "local": ["mountPath": "/backup"]]],
            ]
            #expect(await server.send("POST", path, repository).status == 201)
            var both = repository
            both["spec"]?["backend"]?["s3"] = ["bucket": "b"]
            both["metadata"]?["name"] = "both"
            let answer = await server.send("POST", path, both)
            #expect(answer.status == 422)
            #expect(
                causes(answer) == ["spec.backend Invalid value: \"object\": exactly one of local and s3 must be given"]
            )
        }
    }

    @Test(
        "a definition that isn't structural is refused, with the place",
        arguments: [
            (#"{"type":"object","properties":{"a":{}}}"#, "properties[spec].properties[a].type"),
            (#"{"type":"object","properties":{"a":{"type":"array"}}}"#, "properties[a].items"),
            (#"{"type":"object","properties":{"a":{"type":"text"}}}"#, "properties[a].type"),
            (
                #"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":{"type":"string"}}"#,
                "additionalProperties"
            ),
            (#"{"type":"object","anyOf":[{"type":"object"}]}"#, "anyOf[0].type"),
            (#"{"$ref":"x","type":"object"}"#, "$ref"),
            (#"{"type":"array","items":{"type":"string"},"uniqueItems":true}"#, "uniqueItems"),
            (#"{"type":"string","pattern":"("}"#, "pattern"), (#"{"type":"string","pattern":"(?=a)"}"#, "pattern"),
            (#"{"type":"integer","default":"x"}"#, "default"),
            (
                #"{"type":"array","x-kubernetes-list-type":"map","items":{"type":"object"}}"#,
                "x-kubernetes-list-map-keys"
            ),
            (
                #"{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"items":{"type":"object","properties":{"k":{"type":"string"}}}}"#,
                "items.properties[k].default"
            ),
            (
                #"{"type":"string","x-kubernetes-validations":[{"rule":"self.foo()"}]}"#,
                "x-kubernetes-validations[0].rule"
            ),
            (
                #"{"type":"string","x-kubernetes-validations":[{"rule":"size(self)"}]}"#,
                "x-kubernetes-validations[0].rule"
            ),
            (
                #"{"type":"object","x-kubernetes-validations":[{"rule":"self.a == 1"}]}"#,
                "x-kubernetes-validations[0].rule"
            ),
            (#"{"type":"string","x-kubernetes-validations":[{"rule":""}]}"#, "x-kubernetes-validations[0].rule"),
            (
                #"{"type":"string","x-kubernetes-validations":[{"rule":"true","reason":"Bad"}]}"#,
                "x-kubernetes-validations[0].reason"
            ),
            (
                #"{"type":"array","items":{"type":"string","x-kubernetes-validations":[{"rule":"self.matches('^[a-z]+$')"}]}}"#,
                "items.x-kubernetes-validations[0].rule"
            ),
            (
                #"{"type":"array","maxItems":2,"items":{"type":"string","maxLength":9,"x-kubernetes-validations":[{"rule":"self == oldSelf"}]}}"#,
                "items.x-kubernetes-validations[0].rule"
            ),
        ]
    )
    func structural(schema: String, field: String) async throws {
        try await FakeAPIServer.withShop { server in
            let answer = await server.send(
                "POST",
                Samples.definitions,
                Samples.definition(try JSONTree(parsing: schema))
            )
            #expect(answer.status == 422)
            #expect(causes(answer).contains { $0.contains(field) }, "\(causes(answer))")
        }
    }

    @Test(
        "a definition's names and versions must be right",
        arguments: [
            (["metadata", "name"], "things.example.dev", "metadata.name"), (["spec", "scope"], "Global", "spec.scope"),
            (["spec", "group"], "example", "spec.group"),
            (["spec", "names", "plural"], "Widgets", "spec.names.plural"),
        ]
    )
    func names(path: [String], value: String, field: String) async throws {
        try await FakeAPIServer.withShop { server in
            var definition = Samples.definition(["type": "object"])
            if path.count == 2 {
                definition[path[0]]?[path[1]] = .string(value)
            } else {
                definition["spec"]?["names"]?["plural"] = .string(value)
            }
            let answer = await server.send("POST", Samples.definitions, definition)
            #expect(answer.status == 422 && causes(answer).contains { $0.hasPrefix(field) }, "\(answer.body)")
        }
    }

    @Test(
        "a value that the schema doesn't allow is refused as the real server words it",
        arguments: [
            (
                #"{"type":"integer"}"#, #""x""#,
                "spec.v Invalid value: \"string\": spec.v in body must be of type integer: \"string\""
            ),
            (
                #"{"type":"string"}"#, "7",
                "spec.v Invalid value: \"integer\": spec.v in body must be of type string: \"integer\""
            ),
            (
                #"{"type":"string","enum":["a","b"]}"#, #""c""#,
                "spec.v Unsupported value: \"c\": supported values: \"a\", \"b\""
            ),
            (
                #"{"type":"string","pattern":"^a$"}"#, #""b""#,
                "spec.v Invalid value: \"b\": spec.v in body should match '^a$'"
            ),
            (#"{"type":"string","maxLength":2}"#, #""abc""#, "spec.v Too long: may not be more than 2 bytes"),
            (
                #"{"type":"string","minLength":1}"#, #""""#,
                "spec.v Invalid value: \"\": spec.v in body should be at least 1 chars long"
            ),
            (
                #"{"type":"integer","minimum":1}"#, "0",
                "spec.v Invalid value: 0: spec.v in body should be greater than or equal to 1"
            ),
            (
                #"{"type":"integer","maximum":1}"#, "2",
                "spec.v Invalid value: 2: spec.v in body should be less than or equal to 1"
            ),
            (
                #"{"type":"array","items":{"type":"string"},"maxItems":1}"#, #"["a","b"]"#,
                "spec.v Too many: 2: must have at most 1 items"
            ),
            (
                #"{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}"#, "{}",
                "spec.v.a Required value"
            ),
            (
                #"{"type":"string","format":"date-time"}"#, #""soon""#,
                "spec.v Invalid value: \"soon\": spec.v in body must be of type date-time: \"soon\""
            ),
            (
                #"{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}}"#, #"["a","a"]"#,
                "spec.v[1] Duplicate value: \"a\""
            ),
            (
                #"{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["k"],"items":{"type":"object","required":["k"],"properties":{"k":{"type":"string"}}}}"#,
                #"[{"k":"a"},{"k":"a"}]"#, "spec.v[1] Duplicate value: {\"k\":\"a\"}"
            ),
            (
                #"{"type":"object","additionalProperties":{"type":"string"},"maxProperties":1}"#, #"{"a":"1","b":"2"}"#,
                "spec.v Too many: 2: must have at most 1 items"
            ),
            (
                #"{"x-kubernetes-int-or-string":true}"#, "true",
                "spec.v Invalid value: \"boolean\": spec.v in body must be of type integer,string: \"boolean\""
            ),
            (
                #"{"type":"string","x-kubernetes-validations":[{"rule":"self.startsWith('a')","message":"must begin with a"}]}"#,
                #""b""#, "spec.v Invalid value: \"b\": must begin with a"
            ),
            (
                #"{"type":"string","x-kubernetes-validations":[{"rule":"self == 'a'"}]}"#, #""b""#,
                "spec.v Invalid value: \"b\": failed rule: self == 'a'"
            ),
            (
                #"{"type":"string","x-kubernetes-validations":[{"rule":"self == 'a'","messageExpression":"'not ' + self","reason":"FieldValueForbidden"}]}"#,
                #""b""#, "spec.v Forbidden: not b"
            ),
        ]
    )
    func values(schema: String, value: String, cause: String) async throws {
        try await FakeAPIServer.withWidgets(["type": "object", "properties": ["v": try JSONTree(parsing: schema)]]) {
            server in
            let answer = await server.send(
                "POST",
                Samples.widgets,
                Samples.widget("a", ["v": try JSONTree(parsing: value)])
            )
            #expect(answer.status == 422)
            #expect(causes(answer).contains(cause), "\(causes(answer))")
        }
    }

    @Test("defaults come in, unknown fields go, and are refused where the client wants it")
    func pruning() async throws {
        let schema: JSONTree = [
            "type": "object",
            "properties": [
                "size": ["type": "integer", "default": 3],
                "free": ["x-kubernetes-preserve-unknown-fields": true, "type": "object"],
                "none": ["type": "string"],
            ],
        ]
        try await FakeAPIServer.withWidgets(schema) { server in
            let widget = Samples.widget("a", ["siz": 1, "free": ["x": 1], "none": .null])
            let answer = await server.send("POST", Samples.widgets, widget)
            #expect(answer.body["spec"] == ["size": 3, "free": ["x": 1]])
            #expect(answer.warnings == ["unknown field \"spec.siz\""])
            #expect(await server.send("POST", "\(Samples.widgets)?fieldValidation=Strict", widget).status == 400)
        }
    }

    @Test("the status has its own endpoint, and only changes of the spec make generations")
    func status() async throws {
        try await FakeAPIServer.withWidgets(["type": "object", "properties": ["size": ["type": "integer"]]]) { server in
            var widget = Samples.widget("a", ["size": 1])
            widget["status"] = ["phase": "Sneaky"]
            let created = await server.send("POST", Samples.widgets, widget)
            #expect(created.body["status"] == nil && created.body["metadata"]?["generation"] == 1)
            let reported = await server.send(
                "PATCH",
                "\(Samples.widgets)/a/status",
                ["status": ["phase": "Ready"], "spec": ["size": 9], "metadata": ["labels": ["x": "y"]]]
            )
            #expect(reported.body["status"]?["phase"] == "Ready" && reported.body["spec"]?["size"] == 1)
            #expect(reported.body["metadata"]?["labels"] == nil && reported.body["metadata"]?["generation"] == 1)
            let changed = await server.send(
                "PATCH",
                "\(Samples.widgets)/a",
                ["spec": ["size": 2], "status": ["phase": "Lost"]]
            )
            #expect(changed.body["metadata"]?["generation"] == 2 && changed.body["status"]?["phase"] == "Ready")
            let labelled = await server.send("PATCH", "\(Samples.widgets)/a", ["metadata": ["labels": ["x": "y"]]])
            #expect(labelled.body["metadata"]?["generation"] == 2)
            var unpinned = labelled.body
            unpinned["metadata"]?["resourceVersion"] = nil
            let put = await server.send("PUT", "\(Samples.widgets)/a", unpinned)
            #expect(put.status == 422 && causes(put).contains { $0.contains("must be specified for an update") })
            #expect(
                await server.send(
                    "PATCH",
                    "\(Samples.widgets)/a",
                    ["spec": [:]],
                    contentType: "application/strategic-merge-patch+json"
                ).status == 415
            )
        }
    }

    @Test("rules compare with the value before, and unchanged values are let be")
    func transitions() async throws {
        let schema: JSONTree = [
            "type": "object",
            "properties": [
                "fixed": [
                    "type": "string", "maxLength": 9,
                    "x-kubernetes-validations": [["rule": "self == oldSelf", "message": "is fixed"]],
                ],
                "other": ["type": "string", "maxLength": 9],
            ],
        ]
        try await FakeAPIServer.withWidgets(schema) { server in
            #expect(await server.send("POST", Samples.widgets, Samples.widget("a", ["fixed": "x"])).status == 201)
            let refused = await server.send("PATCH", "\(Samples.widgets)/a", ["spec": ["fixed": "y"]])
            #expect(refused.status == 422 && causes(refused) == ["spec.fixed Invalid value: \"y\": is fixed"])
            #expect(await server.send("PATCH", "\(Samples.widgets)/a", ["spec": ["other": "y"]]).status == 200)
        }
    }

    @Test("a custom resource's finalizer may be a plain name, with a warning")
    func finalizers() async throws {
        try await FakeAPIServer.withWidgets(["type": "object"]) { server in
            var widget = Samples.widget("a", [:])
            widget["metadata"]?["finalizers"] = ["plain"]
            let answer = await server.send("POST", Samples.widgets, widget)
            #expect(answer.status == 201 && answer.warnings.count == 1)
        }
    }

    @Test("a definition that goes takes its objects with it")
    func removal() async throws {
        try await FakeAPIServer.withWidgets(["type": "object"]) { server in
            #expect(await server.send("POST", Samples.widgets, Samples.widget("a", [:])).status == 201)
            _ = await server.send("DELETE", "\(Samples.definitions)/widgets.example.dev")
            await server.settle()
            #expect(server.objects("widgets", group: "example.dev").isEmpty)
            #expect(await server.send("GET", Samples.widgets).status == 404)
            #expect(
                server.object("customresourcedefinitions", group: "apiextensions.k8s.io", name: "widgets.example.dev")
                    == nil
            )
        }
    }
}
