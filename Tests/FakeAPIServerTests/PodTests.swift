import FakeAPIServer
import Kubernetes
import Testing

@Suite("the fake API server: pods")
struct PodTests {
    @Test(
        "a pod that an injector got wrong is refused, with the place",
        arguments: [
            (
                "/spec/containers/-", #"{"name":"mongod","image":"i"}"#,
                "spec.containers[1].name Duplicate value: \"mongod\""
            ),
            ("/spec/containers/-", #"{"name":"Bad","image":"i"}"#, "spec.containers[1].name Invalid value"),
            ("/spec/containers/-", #"{"name":"a"}"#, "spec.containers[1].image Required value"),
            (
                "/spec/containers/-", #"{"name":"a","image":"i","restartPolicy":"Always"}"#,
                "spec.containers[1].restartPolicy Forbidden"
            ),
            (
                "/spec/initContainers", #"[{"name":"mongod","image":"i"}]"#,
                "spec.initContainers[0].name Duplicate value"
            ),
            (
                "/spec/initContainers", #"[{"name":"a","image":"i","restartPolicy":"Never"}]"#,
                "spec.initContainers[0].restartPolicy Unsupported value"
            ),
            (
                "/spec/initContainers", #"[{"name":"a","image":"i","livenessProbe":{"exec":{"command":["x"]}}}]"#,
                "spec.initContainers[0].livenessProbe Forbidden"
            ),
            (
                "/spec/initContainers",
                #"[{"name":"a","image":"i","lifecycle":{"preStop":{"exec":{"command":["x"]}}}}]"#,
                "spec.initContainers[0].lifecycle Forbidden"
            ),
            (
                "/spec/volumes", #"[{"name":"v","emptyDir":{}},{"name":"v","emptyDir":{}}]"#,
                "spec.volumes[1].name Duplicate value"
            ),
            (
                "/spec/volumes", #"[{"name":"v","emptyDir":{},"secret":{"secretName":"s"}}]"#,
                "spec.volumes[0].secret Forbidden"
            ),
            ("/spec/volumes", #"[{"name":"v","secret":{}}]"#, "spec.volumes[0].secret.secretName Required value"),
            (
                "/spec/volumes", #"[{"name":"v","emptyDir":{"sizeLimit":"-1"}}]"#,
                "spec.volumes[0].emptyDir.sizeLimit Forbidden"
            ),
            (
                "/spec/volumes", #"[{"name":"v","secret":{"secretName":"s","defaultMode":4095}}]"#,
                "spec.volumes[0].secret.defaultMode Invalid value"
            ),
            (
                "/spec/volumes",
                #"[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":60}}]}}]"#,
                "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds Invalid value"
            ),
            (
                "/spec/volumes", #"[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":""}}]}}]"#,
                "spec.volumes[0].projected.sources[0].serviceAccountToken.path Required value"
            ),
            (
                "/spec/volumes",
                #"[{"name":"v","downwardAPI":{"items":[{"path":"p","fieldRef":{"fieldPath":"spec.nodeName"}}]}}]"#,
                "spec.volumes[0].downwardAPI.items[0].fieldRef.fieldPath Unsupported value"
            ),
            (
                "/spec/volumes",
                #"[{"name":"v","projected":{"sources":[{"downwardAPI":{"items":[{"path":"../p","fieldRef":{"fieldPath":"metadata.name"}}]}}]}}]"#,
                "spec.volumes[0].projected.sources[0].downwardAPI.items[0].path Invalid value"
            ),
            (
                "/spec/containers/0/volumeMounts", #"[{"name":"none","mountPath":"/x"}]"#,
                "spec.containers[0].volumeMounts[0].name Not found: \"none\""
            ),
            (
                "/spec/containers/0/env", #"[{"name":"A=B","value":"x"}]"#,
                "spec.containers[0].env[0].name Invalid value"
            ),
            (
                "/spec/containers/0/env",
                #"[{"name":"A","value":"x","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]"#,
                "spec.containers[0].env[0].valueFrom Invalid value"
            ),
            (
                "/spec/containers/0/env", #"[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.nam"}}}]"#,
                "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath Invalid value"
            ),
            (
                "/spec/containers/0/env", #"[{"name":"A","valueFrom":{}}]"#,
                "spec.containers[0].env[0].valueFrom Invalid value"
            ),
            (
                "/spec/containers/0/resources", #"{"requests":{"memory":"2Gi"},"limits":{"memory":"1Gi"}}"#,
                "spec.containers[0].resources.requests Invalid value"
            ),
            (
                "/spec/containers/0/resources", #"{"requests":{"memry":"1Gi"}}"#,
                "spec.containers[0].resources.requests[memry] Invalid value"
            ),
            (
                "/spec/containers/0/terminationMessagePolicy", #""Logs""#,
                "spec.containers[0].terminationMessagePolicy Unsupported value"
            ),
            (
                "/spec/containers/0/livenessProbe", #"{"periodSeconds":5}"#,
                "spec.containers[0].livenessProbe Required value"
            ),
            (
                "/spec/containers/0/livenessProbe", #"{"exec":{"command":["x"]},"successThreshold":2}"#,
                "spec.containers[0].livenessProbe.successThreshold Invalid value"
            ),
            (
                "/spec/containers/0/ports", #"[{"containerPort":70000}]"#,
                "spec.containers[0].ports[0].containerPort Invalid value"
            ),
            (
                "/spec/containers/0/securityContext", #"{"runAsUser":-1}"#,
                "spec.containers[0].securityContext.runAsUser Invalid value"
            ),
            (
                "/spec/containers/0/securityContext", #"{"privileged":true,"allowPrivilegeEscalation":false}"#,
                "spec.containers[0].securityContext Invalid value"
            ),
            (
                "/spec/securityContext", #"{"seccompProfile":{"type":"Default"}}"#,
                "spec.securityContext.seccompProfile.type Unsupported value"
            ),
            ("/spec/restartPolicy", #""Sometimes""#, "spec.restartPolicy Unsupported value"),
            ("/spec/containers", "[]", "spec.containers Required value"),
        ]
    )
    func refused(path: String, value: String, cause: String) async throws {
        try await FakeAPIServer.withShop { server in
            let pod = try set(path, JSONTree(parsing: value), in: Samples.pod())
            let answer = await server.send("POST", Samples.pods, pod)
            #expect(answer.status == 422, "\(answer.body)")
            #expect(causes(answer).contains { $0.hasPrefix(cause) }, "\(causes(answer))")
        }
    }

    /// Sets what a JSON pointer names.
    private func set(_ path: String, _ value: JSONTree, in pod: JSONTree) -> JSONTree {
        func change(_ tree: JSONTree, _ steps: ArraySlice<String>) -> JSONTree {
            guard let step = steps.first else { return value }
            if var list = tree.array {
                if step == "-" { return .array(list + [value]) }
                let index = Int(step) ?? 0
                list[index] = change(list[index], steps.dropFirst())
                return .array(list)
            }
            var tree = tree
            tree[step] = change(tree[step] ?? [:], steps.dropFirst())
            return tree
        }
        return change(pod, path.split(separator: "/").map(String.init)[...])
    }

    @Test("mounts of one container have paths of their own")
    func mountPaths() async throws {
        try await FakeAPIServer.withShop { server in
            var pod = Samples.pod()
            pod["spec"]?["volumes"] = [["name": "v", "emptyDir": [:]]]
            let mount: JSONTree = ["name": "v", "mountPath": "/x"]
            pod = set("/spec/containers/0/volumeMounts", [mount, mount], in: pod)
            let answer = await server.send("POST", Samples.pods, pod)
            #expect(
                causes(answer) == ["spec.containers[0].volumeMounts[1].mountPath Invalid value: \"/x\": must be unique"]
            )
        }
    }

    @Test(
        "what isn't even a quantity, or of the wrong type, can't be read",
        arguments: [
            ("/spec/containers/0/resources", #"{"requests":{"memory":"1Gb"}}"#), ("/spec/hostNetwork", #""yes""#),
            ("/spec/containers/0/command", #""sh""#), ("/spec/containers/0/securityContext", #"{"runAsUser":"1"}"#),
            ("/metadata/annotations", #"{"a":true}"#),
        ]
    )
    func unreadable(path: String, value: String) async throws {
        try await FakeAPIServer.withShop { server in
            let answer = await server.send(
                "POST",
                Samples.pods,
                try set(path, JSONTree(parsing: value), in: Samples.pod())
            )
            #expect(
                answer.status == 400
                    && answer.body["message"]?.string?.hasPrefix("Pod in version \"v1\" cannot be handled as a Pod")
                        == true
            )
        }
    }

    @Test("a good pod gets defaults, its account, and the account's token in every container")
    func defaults() async throws {
        try await FakeAPIServer.withShop { server in
            var pod = Samples.pod()
            pod["spec"]?["initContainers"] = [["name": "agent", "image": "agent", "restartPolicy": "Always"]]
            pod = set("/spec/containers/0/resources", ["requests": ["cpu": "0.5", "memory": "1024Mi"]], in: pod)
            let stored = try await server.create(pod, namespace: "shop")
            let container = stored["spec"]?["containers"]?[0] ?? [:]
            #expect(container["terminationMessagePolicy"] == "File" && container["imagePullPolicy"] == "IfNotPresent")
            #expect(container["resources"]?["requests"] == ["cpu": "500m", "memory": "1Gi"])
            #expect(container["volumeMounts"]?[0]?["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount")
            #expect(stored["spec"]?["initContainers"]?[0]?["volumeMounts"]?.array?.count == 1)
            #expect(stored["spec"]?["initContainers"]?[0]?["imagePullPolicy"] == "Always")
            #expect(stored["spec"]?["serviceAccountName"] == "default" && stored["spec"]?["volumes"]?.array?.count == 1)
            #expect(stored["status"] == ["phase": "Pending", "qosClass": "Burstable"])
            var shadowed = Samples.pod("b")
            shadowed["spec"]?["volumes"] = [["name": "v", "emptyDir": [:]]]
            shadowed = set(
                "/spec/containers/0/volumeMounts",
                [["name": "v", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"]],
                in: shadowed
            )
            #expect(try await server.create(shadowed, namespace: "shop")["spec"]?["volumes"]?.array?.count == 1)
            #expect(stored["spec"]?["priority"] == 0 && stored["spec"]?["tolerations"]?.array?.count == 2)
            let important = Samples.pod("d") { $0["spec"]?["priorityClassName"] = "no-such-class" }
            #expect(await server.send("POST", Samples.pods, important).status == 403)
            let stranger = Samples.pod("c") { $0["spec"]?["serviceAccountName"] = "nobody" }
            #expect(await server.send("POST", Samples.pods, stranger).status == 403)
        }
    }

    @Test("of a pod that is there, images may change and little else")
    func updates() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.create(
                Samples.pod {
                    $0["spec"]?["initContainers"] = [["name": "agent", "image": "agent:1", "restartPolicy": "Always"]]
                },
                namespace: "shop"
            )
            let kind = "application/strategic-merge-patch+json"
            let image = await server.send(
                "PATCH",
                "\(Samples.pods)/mongo-0",
                ["spec": ["initContainers": [["name": "agent", "image": "agent:2"]]]],
                contentType: kind
            )
            #expect(image.status == 200 && image.body["spec"]?["initContainers"]?[0]?["image"] == "agent:2")
            #expect(image.body["spec"]?["initContainers"]?[0]?["restartPolicy"] == "Always")
            let variable = await server.send(
                "PATCH",
                "\(Samples.pods)/mongo-0",
                ["spec": ["containers": [["name": "mongod", "env": [["name": "A", "value": "1"]]]]]],
                contentType: kind
            )
            #expect(
                variable.status == 422
                    && causes(variable).contains {
                        $0.hasPrefix("spec Forbidden: pod updates may not change fields other than")
                    }
            )
        }
    }

    @Test("the namespace's level of pod security is heeded")
    func security() async throws {
        try await FakeAPIServer.withShop { server in
            try await server.create(
                Samples.namespace("strict", labels: ["pod-security.kubernetes.io/enforce": "restricted"])
            )
            try await server.create(
                Samples.namespace("base", labels: ["pod-security.kubernetes.io/enforce": "baseline"])
            )
            let refused = await server.send("POST", "/api/v1/namespaces/strict/pods", Samples.pod())
            #expect(refused.status == 403)
            let message = refused.body["message"]?.string ?? ""
            for part in [
                "violates PodSecurity \"restricted:latest\"", "allowPrivilegeEscalation != false",
                "unrestricted capabilities", "runAsNonRoot != true", "seccompProfile",
            ] {
                #expect(message.contains(part), "\(message)")
            }
            let context: JSONTree = [
                "allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": ["drop": ["ALL"]],
                "seccompProfile": ["type": "RuntimeDefault"],
            ]
            let good = set("/spec/containers/0/securityContext", context, in: Samples.pod())
            #expect(await server.send("POST", "/api/v1/namespaces/strict/pods", good).status == 201)
            #expect(await server.send("POST", "/api/v1/namespaces/base/pods", Samples.pod()).status == 201)
            let host = Samples.pod("b") { $0["spec"]?["hostNetwork"] = true }
            #expect(await server.send("POST", "/api/v1/namespaces/base/pods", host).status == 403)
        }
    }

    @Test("the pod of a StatefulSet is made from its template")
    func statefulSet() async throws {
        try await FakeAPIServer.withShop { server in
            let set: JSONTree = [
                "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": ["name": "mongo"],
                "spec": [
                    "serviceName": "mongo", "selector": ["matchLabels": ["app": "mongo"]],
                    "template": [
                        "metadata": ["labels": ["app": "mongo"]],
                        "spec": [
                            "containers": [
                                [
                                    "name": "mongod", "image": "mongo:7",
                                    "volumeMounts": [["name": "data", "mountPath": "/data/db"]],
                                ]
                            ]
                        ],
                    ],
                    "volumeClaimTemplates": [
                        ["metadata": ["name": "data"], "spec": ["accessModes": ["ReadWriteOnce"]]]
                    ],
                ],
            ]
            try await server.create(set, namespace: "shop")
            let pod = try await server.createPod(fromStatefulSet: "mongo", namespace: "shop", ordinal: 1)
            #expect(
                pod["metadata"]?["name"] == "mongo-1"
                    && pod["spec"]?["volumes"]?[0]?["persistentVolumeClaim"]?["claimName"] == "data-mongo-1"
            )
            #expect(pod["metadata"]?["ownerReferences"]?[0]?["kind"] == "StatefulSet")
            var other = set
            other["metadata"]?["name"] = "other"
            other["spec"]?["selector"] = ["matchLabels": ["app": "x"]]
            let path = "/apis/apps/v1/namespaces/shop/statefulsets"
            #expect(await server.send("POST", path, other).status == 422)
            let changed = await server.send("PATCH", "\(path)/mongo", ["spec": ["serviceName": "other"]])
            #expect(changed.status == 422 && causes(changed).contains { $0.contains("updates to statefulset spec") })
        }
    }
}
