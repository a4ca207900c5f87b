import Injector
import Kubernetes
import Testing

@Suite("Which pods, and under which name")
struct PlacementTests {
    @Test(
        "some pods are left alone, and it is said why",
        arguments: [
            (#"{"status":{"phase":"Running"}}"#, "the pod is Running already"),
            (#"{"spec":{"os":{"name":"windows"}}}"#, "agents don't run on Windows"),
            (#"{"spec":{"nodeSelector":{"kubernetes.io/os":"windows"}}}"#, "agents don't run on Windows"),
            (#"{"metadata":{"labels":{"app.kubernetes.io/part-of":"remora.dev"}}}"#, "the pod is one of ours"),
        ]
    )
    func skipped(change: String, reason: String) throws {
        var pod = try Pods.pod(Pods.official)
        for (field, members) in try JSONTree(parsing: change).object ?? [:] {
            if pod[field] == nil { pod[field] = [:] }
            for (name, value) in members.object ?? [:] { pod[field]?[name] = value }
        }
        let decision = Pods.injector.decide(pod, in: Pods.shop)
        #expect(decision.outcome == .skipped)
        #expect(decision.warnings == ["remora: no agent was injected: \(reason)"])
        #expect(decision.patch.isEmpty)
    }

    @Test("namespaces that want none, or must not have any, get none")
    func namespaces() throws {
        let pod = try Pods.pod(Pods.official)
        #expect(Pods.injector.decide(pod, in: NamespaceFacts(name: "kube-system")).outcome == .skipped)
        #expect(Pods.injector.decide(pod, in: NamespaceFacts(name: "shop", isOptedOut: true)).outcome == .skipped)
    }

    @Test(
        "the target is the workload, or the pod's name without its number",
        arguments: [
            (
                #"{"name":"orders-3","ownerReferences":[{"kind":"StatefulSet","name":"orders","controller":true}]}"#,
                "orders"
            ),
            (
                #"{"generateName":"web-5d4f-","labels":{"pod-template-hash":"5d4f"},"ownerReferences":[{"kind":"ReplicaSet","name":"web-5d4f"}]}"#,
                "web"
            ),
            (#"{"name":"mongo-0"}"#, "mongo"), (#"{"name":"mongo"}"#, "mongo"), (#"{"name":"rs-a"}"#, "rs-a"),
            (#"{"generateName":"adhoc-"}"#, "adhoc"),
        ]
    )
    func names(metadata: String, name: String) throws {
        var pod = try Pods.pod(Pods.official)
        pod["metadata"] = try JSONTree(parsing: metadata)
        pod["metadata"]?["annotations"] = ["remora.dev/inject": "true"]
        #expect(try Pods.injected(pod)[path: "metadata", "labels", "remora.dev/cluster"] == .string(name))
    }

    @Test("a name that can't be a target's is asked for")
    func badName() throws {
        var pod = try Pods.pod(Pods.official)
        pod["metadata"]?["ownerReferences"] = [["kind": "X", "name": .string(String(repeating: "o", count: 60))]]
        #expect(
            Pods.injector.decide(pod, in: Pods.shop).error?.message
                == "the workload's name can't be the target's, because it has 60 bytes, more than the 52 allowed; set remora.dev/cluster"
        )
    }

    @Test("a pod that ends by itself gets a sidecar that ends with it, or none")
    func jobs() throws {
        var pod = try Pods.pod(Pods.official)
        pod["spec"]?["restartPolicy"] = "Never"
        #expect(try Pods.injected(pod)[path: "spec", "initContainers"]?[0]?["restartPolicy"] == "Always")
        pod["metadata"]?["annotations"]?["remora.dev/sidecar"] = "container"
        #expect(Pods.injector.decide(pod, in: Pods.shop).error?.code == .sidecar)
    }

    @Test("a native sidecar isn't promised where the cluster would make an init container of it")
    func tooOld() throws {
        var settings = Pods.settings
        settings.supportsNativeSidecars = false
        let decision = AgentInjector(settings).decide(
            try Pods.pod(Pods.official, ["remora.dev/sidecar": "native"]),
            in: Pods.shop
        )
        #expect(
            decision.error?.message
                == "remora.dev/sidecar is 'native', which needs Kubernetes 1.29 or newer; leave it out or set it to container"
        )
    }

    @Test("something of our name that isn't ours is never touched")
    func nameTaken() throws {
        var pod = try Pods.pod(Pods.official)
        pod["spec"]?["initContainers"] = [["name": "remora-agent", "image": "acme/mine"]]
        let decision = Pods.injector.decide(pod, in: Pods.shop)
        #expect(decision.error?.code == .nameTaken)
        #expect(decision.pod["spec"] == pod["spec"])
    }
}
