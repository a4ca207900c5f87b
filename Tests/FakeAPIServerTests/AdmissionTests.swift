import FakeAPIServer
import Foundation
import Kubernetes
import Testing

@Suite("the fake API server: admission")
struct AdmissionTests {
    private func configuration(
        _ hook: FakeWebhook,
        name: String = "inject",
        _ change: (inout JSONTree) -> Void = { _ in }
    ) -> JSONTree {
        var webhook: JSONTree = [
            "name": .string("\(name).example.dev"), "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": [
                "url": .string("\(hook.url)/inject"),
                "caBundle": .string(Data(hook.authority.utf8).base64EncodedString()),
            ],
            "rules": [["operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]]],
        ]
        change(&webhook)
        return [
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": ["name": .string(name)],
            "webhooks": [webhook],
        ]
    }

    private static func patching(_ operations: String) -> JSONTree {
        ["allowed": true, "patchType": "JSONPatch", "patch": .string(Data(operations.utf8).base64EncodedString())]
    }

    private static let label = patching(#"[{"op":"add","path":"/metadata/labels","value":{"injected":"true"}}]"#)

    private func with(
        _ answer: @escaping @Sendable (JSONTree) -> JSONTree,
        names: [String] = [],
        _ body: (FakeAPIServer, FakeWebhook) async throws -> Void
    ) async throws {
        let hook = try await FakeWebhook.start(names: names, answer)
        do {
            try await FakeAPIServer.withShop { try await body($0, hook) }
        } catch {
            await hook.stop()
            throw error
        }
        await hook.stop()
    }

    @Test("a webhook's patch, warnings and annotations arrive")
    func mutates() async throws {
        let answer: @Sendable (JSONTree) -> JSONTree = { _ in
            var answer = Self.label
            answer["warnings"] = ["mind the gap"]
            answer["auditAnnotations"] = ["result": "injected"]
            return answer
        }
        try await with(answer) { server, hook in
            try await server.create(configuration(hook))
            let pod = await server.send("POST", Samples.pods, Samples.pod())
            #expect(pod.body["metadata"]?["labels"] == ["injected": "true"] && pod.warnings == ["mind the gap"])
            #expect(pod.audit["inject.example.dev/result"] == "injected")
            let request = try #require(hook.requests.first)
            #expect(request["operation"] == "CREATE" && request["namespace"] == "shop" && request["dryRun"] == false)
            #expect(request["object"]?["spec"]?["containers"]?[0]?["terminationMessagePolicy"] == "File")
        }
    }

    @Test(
        "what Ignore covers, and what it doesn't",
        arguments: [
            ("not JSON", "", 201), (#"{"allowed":true,"uid":"other"}"#, "", 201),
            (#"{"allowed":true,"patchType":"JSONPatch"}"#, "", 201),
            (#"{"allowed":true,"patch":"W10="}"#, "", 201),
            (#"{"allowed":true,"patchType":"JSONPatch","patch":"e30="}"#, "", 201),
            (#"{"allowed":true,"patchType":"JSONPatch","patch":""}"#, "", 201),
            (#"{"allowed":false,"status":{"message":"no"}}"#, "denied the request: no", 400),
            (#"{"allowed":false,"status":{"message":"no","code":403}}"#, "denied the request: no", 403),
            (#"[{"op":"remove","path":"/spec/none"}]"#, "remove operation does not apply", 500),
            (
                #"[{"op":"add","path":"/spec/containers/-","value":{"name":"mongod","image":"i"}}]"#, "Duplicate value",
                422
            ),
        ]
    )
    func ignore(answer: String, message: String, status: Int) async throws {
        let tree: JSONTree =
            answer.hasPrefix("[") ? Self.patching(answer) : (try? JSONTree(parsing: answer)) ?? .string(answer)
        try await with({ _ in tree }) { server, hook in
            try await server.create(configuration(hook) { $0["failurePolicy"] = "Ignore" })
            let pod = await server.send("POST", Samples.pods, Samples.pod())
            #expect(pod.status == status, "\(pod.body)")
            #expect(message.isEmpty || pod.body["message"]?.string?.contains(message) == true)
            #expect(server.failedOpen.count == (status == 201 ? 1 : 0))
        }
    }

    @Test("without Ignore a webhook that gives no answer stops everything")
    func fail() async throws {
        try await with({ _ in "no" }) { server, hook in
            try await server.create(configuration(hook))
            let pod = await server.send("POST", Samples.pods, Samples.pod())
            #expect(
                pod.status == 500
                    && pod.body["message"]?.string?.contains("failed calling webhook \"inject.example.dev\"") == true
            )
        }
    }

    @Test("selectors and conditions decide who is asked")
    func selection() async throws {
        try await with({ _ in Self.label }) { server, hook in
            try await server.create(
                configuration(hook) { webhook in
                    webhook["matchConditions"] = [
                        [
                            "name": "annotated",
                            "expression": "has(object.metadata.annotations) && 'inject' in object.metadata.annotations",
                        ]
                    ]
                    webhook["namespaceSelector"] = [
                        "matchExpressions": [["key": "injection", "operator": "NotIn", "values": ["disabled"]]]
                    ]
                    webhook["objectSelector"] = ["matchExpressions": [["key": "ours", "operator": "DoesNotExist"]]]
                }
            )
            try await server.create(Samples.namespace("closed", labels: ["injection": "disabled"]))
            let annotated = Samples.pod { $0["metadata"]?["annotations"] = ["inject": "true"] }
            _ = await server.send("POST", Samples.pods, Samples.pod("plain"))
            _ = await server.send("POST", "/api/v1/namespaces/closed/pods", annotated)
            var own = annotated
            own["metadata"]?["labels"] = ["ours": "yes"]
            own["metadata"]?["name"] = "own"
            _ = await server.send("POST", Samples.pods, own)
            #expect(hook.requests.isEmpty)
            #expect(
                await server.send("POST", Samples.pods, annotated).body["metadata"]?["labels"]?["injected"] == "true"
            )
            #expect(hook.requests.count == 1)
        }
    }

    @Test("a webhook that wants it is asked once more when another changed the pod behind it")
    func reinvocation() async throws {
        let answer: @Sendable (JSONTree) -> JSONTree = { request in
            let containers = request["object"]?["spec"]?["initContainers"]?.array ?? []
            guard let agent = containers.first else {
                return Self.patching(
                    #"[{"op":"add","path":"/spec/initContainers","value":[{"name":"agent","image":"a:1","restartPolicy":"Always"}]}]"#
                )
            }
            return agent["restartPolicy"] == nil
                ? Self.patching(#"[{"op":"add","path":"/spec/initContainers/0/restartPolicy","value":"Always"}]"#)
                : ["allowed": true]
        }
        try await with(answer) { server, hook in
            try await server.create(configuration(hook) { $0["reinvocationPolicy"] = "IfNeeded" })
            server.add(.stripsRestartPolicy(.between))
            let pod = await server.send("POST", Samples.pods, Samples.pod())
            #expect(pod.body["spec"]?["initContainers"]?[0]?["restartPolicy"] == "Always")
            #expect(hook.requests.count == 2)
            server.removeMutators()
            server.add(.addsContainer(.before))
            server.add(.renamesVolumes(.after))
            let other = await server.send("POST", Samples.pods, Samples.pod("b"))
            #expect(other.body["spec"]?["containers"]?[0]?["name"] == "mesh-proxy")
            #expect(
                other.body["spec"]?["volumes"]?.array?.contains {
                    $0["name"]?.string?.hasPrefix("renamed-kube-api-access-") == true
                } == true
            )
        }
    }

    @Test("a service's certificate must have its name")
    func serviceName() async throws {
        try await with({ _ in Self.label }, names: ["hook.backup.svc"]) { server, hook in
            func reference(_ name: String) -> JSONTree {
                configuration(hook, name: name) { webhook in
                    webhook["clientConfig"]?["url"] = nil
                    webhook["clientConfig"]?["service"] = [
                        "namespace": "backup", "name": .string(name), "path": "/inject",
                    ]
                }
            }
            server.route(namespace: "backup", service: "hook", to: hook.port)
            server.route(namespace: "backup", service: "wrong", to: hook.port)
            try await server.create(reference("hook"))
            #expect(
                await server.send("POST", Samples.pods, Samples.pod()).body["metadata"]?["labels"]?["injected"]
                    == "true"
            )
            try await server.create(reference("wrong"))
            #expect(await server.send("POST", Samples.pods, Samples.pod("b")).status == 500)
        }
    }

    @Test(
        "a webhook's configuration is checked",
        arguments: [
            ("name", #""short""#, "webhooks[0].name"), ("sideEffects", #""Some""#, "webhooks[0].sideEffects"),
            ("admissionReviewVersions", "[]", "webhooks[0].admissionReviewVersions"),
            ("timeoutSeconds", "31", "webhooks[0].timeoutSeconds"),
            ("clientConfig", "{}", "webhooks[0].clientConfig"),
            ("clientConfig", #"{"url":"http://x"}"#, "webhooks[0].clientConfig.url"),
            ("failurePolicy", #""Maybe""#, "webhooks[0].failurePolicy"),
            (
                "matchConditions", #"[{"name":"a","expression":"objct == 1"}]"#,
                "webhooks[0].matchConditions[0].expression"
            ),
            (
                "rules", #"[{"operations":["MAKE"],"apiGroups":[""],"apiVersions":["v1"],"resources":["pods"]}]"#,
                "webhooks[0].rules[0].operations[0]"
            ),
            (
                "objectSelector", #"{"matchExpressions":[{"key":"a","operator":"In"}]}"#,
                "webhooks[0].objectSelector.matchExpressions[0].values"
            ),
        ]
    )
    func checked(key: String, value: String, field: String) async throws {
        try await with({ _ in Self.label }) { server, hook in
            let tree = try JSONTree(parsing: value)
            let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
            let answer = await server.send("POST", path, configuration(hook) { $0[key] = tree })
            #expect(answer.status == 422 && causes(answer).contains { $0.hasPrefix(field) }, "\(answer.body)")
        }
    }

    @Test("a policy asks whether the requester may do what the object stands for")
    func policy() async throws {
        try await FakeAPIServer.withWidgets(["type": "object", "properties": ["target": ["type": "string"]]]) {
            server in
            try await server.apply(
                yaml: """
                    apiVersion: admissionregistration.k8s.io/v1
                    kind: ValidatingAdmissionPolicy
                    metadata: {name: widgets}
                    spec:
                      matchConstraints:
                        resourceRules:
                        - {apiGroups: [example.dev], apiVersions: ["*"], operations: [CREATE], resources: [widgets]}
                      validations:
                      - expression: >-
                          authorizer.group('example.dev').resource('targets').namespace(request.namespace).name(object.spec.target).check('restore').allowed()
                        messageExpression: "'you may not restore ' + object.spec.target"
                        reason: Forbidden
                    ---
                    apiVersion: admissionregistration.k8s.io/v1
                    kind: ValidatingAdmissionPolicyBinding
                    metadata: {name: widgets}
                    spec: {policyName: widgets, validationActions: [Deny]}
                    ---
                    apiVersion: rbac.authorization.k8s.io/v1
                    kind: Role
                    metadata: {name: r, namespace: shop}
                    rules:
                    - {apiGroups: [example.dev], resources: [widgets], verbs: [create]}
                    - {apiGroups: [example.dev], resources: [targets], resourceNames: [mine], verbs: [restore]}
                    ---
                    apiVersion: rbac.authorization.k8s.io/v1
                    kind: RoleBinding
                    metadata: {name: r, namespace: shop}
                    roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
                    subjects: [{kind: User, name: ann, apiGroup: rbac.authorization.k8s.io}]
                    """
            )
            let ann = Identity(username: "ann")
            #expect(
                await server.send("POST", Samples.widgets, Samples.widget("a", ["target": "mine"]), as: ann).status
                    == 201
            )
            let denied = await server.send("POST", Samples.widgets, Samples.widget("b", ["target": "yours"]), as: ann)
            #expect(denied.status == 403)
            #expect(
                denied.body["message"]?.string?.hasSuffix(
                    "ValidatingAdmissionPolicy 'widgets' with binding 'widgets' denied request: you may not restore yours"
                ) == true
            )
        }
    }
}
