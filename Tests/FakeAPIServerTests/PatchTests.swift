import FakeAPIServer
import Kubernetes
import Testing

@Suite("the fake API server: patches and apply")
struct PatchTests {
    private let map = "\(Samples.configMaps)/a"

    @Test(
        "a JSON patch is carried out, or refused as a whole",
        arguments: [
            (#"[{"op":"add","path":"/data/y","value":"2"}]"#, 200),
            (#"[{"op":"replace","path":"/data/x","value":"2"}]"#, 200),
            (#"[{"op":"remove","path":"/data/x"}]"#, 200),
            (#"[{"op":"test","path":"/data/x","value":"1"},{"op":"move","from":"/data/x","path":"/data/z"}]"#, 200),
            (#"[{"op":"remove","path":"/data/none"}]"#, 422),
            (#"[{"op":"replace","path":"/data/none","value":"1"}]"#, 422),
            (#"[{"op":"add","path":"/none/x","value":"1"}]"#, 422),
            (#"[{"op":"test","path":"/data/x","value":"9"}]"#, 422),
            (#"[{"op":"add","path":"/data/x","value":7}]"#, 422), (#"[{"op":"jump","path":"/data/x"}]"#, 422),
            (#"{"op":"add"}"#, 400),
        ]
    )
    func jsonPatch(patch: String, status: Int) async throws {
        try await FakeAPIServer.withShop { server in
            try await server.create(Samples.configMap("a", ["x": "1"]), namespace: "shop")
            let answer = await server.send(
                "PATCH",
                map,
                try JSONTree(parsing: patch),
                contentType: "application/json-patch+json"
            )
            #expect(answer.status == status, "\(answer.body)")
        }
    }

    @Test("patches of kinds that the server doesn't know are refused")
    func mediaTypes() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.create(Samples.configMap("a"), namespace: "shop")
            #expect(await server.send("PATCH", map, [:], contentType: "application/json").status == 415)
            #expect(await server.send("PATCH", "\(map)?force=true", [:]).status == 422)
            #expect(await server.send("PATCH", "\(Samples.configMaps)/none", [:]).status == 404)
        }
    }

    @Test("a strategic merge puts lists together by their keys")
    func strategic() async throws {
        try await FakeAPIServer.withShop { server in
            let pod: JSONTree = [
                "metadata": ["labels": ["app": "m"]],
                "spec": [
                    "containers": [
                        [
                            "name": "a", "image": "a:1",
                            "env": [["name": "X", "value": "1"], ["name": "Y", "value": "2"]],
                        ], ["name": "b", "image": "b:1"],
                    ]
                ],
            ]
            let deployment: JSONTree = [
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "d"],
                "spec": ["selector": ["matchLabels": ["app": "m"]], "template": pod],
            ]
            try await server.create(deployment, namespace: "shop")
            let patch: JSONTree = [
                "spec": [
                    "template": [
                        "spec": [
                            "containers": [
                                [
                                    "name": "a",
                                    "env": [
                                        ["name": "X", "value": "9"], ["name": "Y", "$patch": "delete"],
                                        ["name": "Z", "value": "3"],
                                    ],
                                ],
                                ["name": "b", "$patch": "delete"],
                            ]
                        ]
                    ]
                ]
            ]
            let answer = await server.send(
                "PATCH",
                "/apis/apps/v1/namespaces/shop/deployments/d",
                patch,
                contentType: "application/strategic-merge-patch+json"
            )
            let containers = answer.body["spec"]?["template"]?["spec"]?["containers"]
            #expect(containers?.array?.count == 1 && containers?[0]?["image"] == "a:1")
            #expect(containers?[0]?["env"] == [["name": "X", "value": "9"], ["name": "Z", "value": "3"]])
        }
    }

    private func apply(
        _ server: FakeAPIServer,
        _ object: JSONTree,
        _ manager: String,
        force: Bool = false,
        path: String? = nil
    ) async -> FakeAPIServer.Answer {
        await server.send(
            "PATCH",
            "\(path ?? map)?fieldManager=\(manager)\(force ? "&force=true" : "")",
            object,
            contentType: "application/apply-patch+yaml"
        )
    }

    @Test("apply creates, leaves other owners' fields alone, and takes away what its owner leaves out")
    func ownership() async throws {
        try await FakeAPIServer.withShop { server in
            #expect(await apply(server, Samples.configMap("a", ["x": "1", "y": "1"]), "one").status == 201)
            #expect(
                await apply(server, Samples.configMap("a", ["z": "1"]), "two").body["data"] == [
                    "x": "1", "y": "1", "z": "1",
                ]
            )
            #expect(
                await apply(server, Samples.configMap("a", ["x": "1"]), "one").body["data"] == ["x": "1", "z": "1"]
            )
            let conflict = await apply(server, Samples.configMap("a", ["x": "2", "z": "1"]), "two")
            #expect(
                conflict.status == 409
                    && conflict.body["message"] == "Apply failed with 1 conflict: conflict with \"one\": .data.x"
            )
            #expect(causes(conflict) == [".data.x conflict with \"one\""])
            let shared = await apply(server, Samples.configMap("a", ["x": "1", "z": "1"]), "two")
            #expect(shared.status == 200)
            let forced = await apply(server, Samples.configMap("a", ["x": "2", "z": "1"]), "two", force: true)
            #expect(forced.body["data"]?["x"] == "2")
            #expect(await apply(server, Samples.configMap("a", [:]), "one").body["data"] == ["x": "2", "z": "1"])
        }
    }

    @Test("a plain write takes fields over, and the applier hears of it")
    func takenOver() async throws {
        try await FakeAPIServer.withShop { server in
            _ = await apply(server, Samples.configMap("a", ["x": "1"]), "one")
            _ = await server.send("PATCH", map, ["data": ["x": "2"]], userAgent: "editor/1.0")
            let managers =
                server.object("configmaps", namespace: "shop", name: "a")?["metadata"]?["managedFields"]?.array ?? []
            #expect(
                managers.contains {
                    $0["manager"] == "editor" && $0["operation"] == "Update" && $0["fieldsV1"]?["f:data"]?["f:x"] == [:]
                }
            )
            let conflict = await apply(server, Samples.configMap("a", ["x": "1"]), "one")
            #expect(
                conflict.status == 409
                    && conflict.body["message"]?.string?.contains("conflict with \"editor\" using v1: .data.x") == true
            )
        }
    }

    @Test("a client may hand its fields to another manager")
    func migration() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.create(Samples.configMap("a", ["x": "1"]), namespace: "shop")
            var object = try #require(server.object("configmaps", namespace: "shop", name: "a"))
            var entry = object["metadata"]?["managedFields"]?[0] ?? [:]
            entry["manager"] = "one"
            entry["operation"] = "Apply"
            object["metadata"]?["managedFields"] = [entry]
            #expect(await server.send("PUT", map, object).status == 200)
            #expect(await apply(server, Samples.configMap("a", ["x": "2"]), "one").status == 200)
            object["metadata"]?["managedFields"] = []
            object["metadata"]?["resourceVersion"] = nil
            let reset = await server.send("PUT", map, object)
            let managers = reset.body["metadata"]?["managedFields"]?.array?.compactMap { $0["manager"]?.string }
            #expect(managers == ["test"])
        }
    }

    @Test("elements of lists with keys have owners of their own, status too")
    func conditions() async throws {
        let condition: JSONTree = [
            "type": "object", "required": ["type"],
            "properties": ["type": ["type": "string"], "status": ["type": "string"]],
        ]
        var definition = Samples.definition(["type": "object"])
        let status: JSONTree = [
            "type": "object",
            "properties": [
                "conditions": [
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                    "items": condition,
                ]
            ],
        ]
        var version = definition["spec"]?["versions"]?[0] ?? [:]
        version["schema"]?["openAPIV3Schema"]?["properties"]?["status"] = status
        definition["spec"]?["versions"] = [version]
        let made = definition
        try await FakeAPIServer.withShop { server in
            try await server.create(made)
            await server.settle()
            #expect(await server.send("POST", Samples.widgets, Samples.widget("a", [:])).status == 201)
            func report(_ type: String, _ value: String, _ manager: String) async -> FakeAPIServer.Answer {
                var widget: JSONTree = ["apiVersion": "example.dev/v1", "kind": "Widget", "metadata": ["name": "a"]]
                widget["status"] = ["conditions": [["type": .string(type), "status": .string(value)]]]
                return await apply(server, widget, manager, path: "\(Samples.widgets)/a/status")
            }
            #expect(await report("Ready", "True", "one").status == 200)
            #expect(await report("Synced", "True", "two").body["status"]?["conditions"]?.array?.count == 2)
            #expect(await report("Ready", "False", "two").status == 409)
            let replaced = await report("Other", "True", "one")
            #expect(replaced.body["status"]?["conditions"]?.array?.map { $0["type"] } == ["Synced", "Other"])
            #expect(await report("Broken", "x", "").status == 422)
        }
    }

    @Test("an apply must say who applies, what, and only what the schema names")
    func refused() async throws {
        try await FakeAPIServer.withShop { server in
            #expect(
                await server.send("PATCH", map, Samples.configMap("a"), contentType: "application/apply-patch+yaml")
                    .status == 422
            )
            var unknown = Samples.configMap("a")
            unknown["dat"] = [:]
            let answer = await apply(server, unknown, "one")
            #expect(
                answer.status == 500
                    && answer.body["message"]?.string?.hasSuffix(".dat: field not declared in schema") == true
            )
            var managed = Samples.configMap("a")
            managed["metadata"]?["managedFields"] = [["manager": "x"]]
            #expect(await apply(server, managed, "one").status == 400)
            #expect(await apply(server, Samples.configMap("b"), "one").status == 400)
        }
    }
}
