import Injector
import Kubernetes
import Testing

@Suite("The agent's resources")
struct ResourceTests {
    private let guaranteed: JSONTree = [
        "limits": ["cpu": 2, "memory": "4Gi"], "requests": ["cpu": "2000m", "memory": "4096Mi"],
    ]

    private func resources(
        _ annotations: [String: String] = [:],
        others: JSONTree? = nil,
        _ facts: NamespaceFacts = Pods.shop
    ) throws -> JSONTree? {
        var pod = try Pods.pod(Pods.official, annotations)
        var container = try #require(pod[path: "spec", "containers"]?[0])
        container["resources"] = others
        pod["spec"]?["containers"] = [container]
        return Pods.agent(in: try Pods.injected(pod, facts))?["resources"]
    }

    @Test("a pod of the class Guaranteed keeps it")
    func keepsClass() throws {
        #expect(
            try resources(others: guaranteed) == [
                "requests": ["cpu": "250m", "memory": "512Mi"], "limits": ["cpu": "250m", "memory": "512Mi"],
            ]
        )
        // A limit alone is a request too.
        #expect(try resources(others: ["limits": ["cpu": "1", "memory": "1Gi"]])?[path: "limits", "cpu"] == "250m")
        #expect(
            try resources(["remora.dev/memory-limit": "1Gi"], others: guaranteed)?[path: "requests", "memory"] == "1Gi"
        )
    }

    @Test("an annotation that would cost the pod its class is refused")
    func classLost() throws {
        var pod = try Pods.pod(Pods.official, ["remora.dev/cpu-request": "100m", "remora.dev/cpu-limit": "1"])
        var container = try #require(pod[path: "spec", "containers"]?[0])
        container["resources"] = guaranteed
        pod["spec"]?["containers"] = [container]
        let message = Pods.injector.decide(pod, in: Pods.shop).error?.message
        #expect(
            message
                == "cpu request '100m' and limit '1' differ, by which the pod would lose its class Guaranteed; make them equal or give one"
        )
    }

    @Test("another pod's agent has little, and a limit for its memory")
    func burstable() throws {
        let usual: JSONTree = ["requests": ["cpu": "50m", "memory": "96Mi"], "limits": ["memory": "512Mi"]]
        #expect(try resources() == usual)
        #expect(try resources(others: ["limits": ["memory": "1Gi"]]) == usual)
        #expect(try resources(["remora.dev/cpu-limit": "20m"])?["requests"] == ["cpu": "20m", "memory": "96Mi"])
        #expect(try resources(["remora.dev/memory-request": "1Gi"])?["limits"] == ["memory": "1Gi"])
    }

    @Test("a namespace's bounds and quotas are kept")
    func bounds() throws {
        var facts = Pods.shop
        facts.bounds = .init(minimumCPU: "100m", maximumMemory: "256Mi")
        facts.needsCPULimit = true
        #expect(
            try resources([:], facts) == [
                "requests": ["cpu": "100m", "memory": "96Mi"], "limits": ["cpu": "1000m", "memory": "256Mi"],
            ]
        )
    }

    private func resources(_ annotations: [String: String], _ facts: NamespaceFacts) throws -> JSONTree? {
        try resources(annotations, others: nil, facts)
    }

    @Test("where the pod sets resources as a whole, the agent has none of its own")
    func podLevel() throws {
        var pod = try Pods.pod(Pods.official)
        pod["spec"]?["resources"] = ["limits": ["cpu": "2", "memory": "4Gi"]]
        #expect(Pods.agent(in: try Pods.injected(pod))?["resources"] == nil)
        pod["metadata"]?["annotations"]?["remora.dev/cpu-limit"] = "1"
        #expect(Pods.injector.decide(pod, in: Pods.shop).error?.code == .resources)
    }
}
