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

    /// A namespace as the API server has it, what the pod's own container asks for, and what the agent gets.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var limits: String
        var quota = "[]"
        var others: JSONTree?
        var requests: JSONTree?
        var limit: JSONTree?
        var reason: String?
        var testDescription: String { name }
    }

    private static let cases = [
        Case(
            name: "a maximum below our usual limit",
            limits: #"[{"type":"Container","max":{"memory":"256Mi"}}]"#,
            requests: ["cpu": "50m", "memory": "96Mi"],
            limit: ["memory": "256Mi"]
        ),
        Case(
            name: "a maximum with which nothing could work",
            limits: #"[{"type":"Container","max":{"memory":"32Mi"}}]"#,
            reason: "memory of at most 32Mi is left, and it needs 64Mi"
        ),
        Case(
            name: "a maximum of processor time: one without a limit would be refused",
            limits:
                #"[{"type":"Container","max":{"cpu":"500m","memory":"1Gi"},"default":{"cpu":"500m","memory":"1Gi"}}]"#,
            requests: ["cpu": "50m", "memory": "96Mi"],
            limit: ["cpu": "500m", "memory": "512Mi"]
        ),
        Case(
            name: "a default limit below our request",
            limits: #"[{"type":"Container","default":{"cpu":"20m"}}]"#,
            requests: ["cpu": "50m", "memory": "96Mi"],
            limit: ["cpu": "50m", "memory": "512Mi"]
        ),
        Case(
            name: "ratios: memory is requested, processor time is limited",
            limits: #"[{"type":"Container","maxLimitRequestRatio":{"cpu":"4","memory":2}}]"#,
            requests: ["cpu": "50m", "memory": "256Mi"],
            limit: ["cpu": "200m", "memory": "512Mi"]
        ),
        Case(
            name: "a ratio and a minimum",
            limits: #"[{"type":"Container","min":{"cpu":"300m"},"maxLimitRequestRatio":{"cpu":"1"}}]"#,
            requests: ["cpu": "300m", "memory": "96Mi"],
            limit: ["cpu": "300m", "memory": "512Mi"]
        ),
        Case(
            name: "a minimum",
            limits: #"[{"type":"Container","min":{"cpu":"100m","memory":"1Gi"}}]"#,
            requests: ["cpu": "100m", "memory": "1Gi"],
            limit: ["memory": "1Gi"]
        ),
        Case(
            name: "two objects hold together",
            limits: #"[{"type":"Container","max":{"memory":"1Gi"}},{"type":"Container","max":{"memory":"200Mi"}}]"#,
            requests: ["cpu": "50m", "memory": "96Mi"],
            limit: ["memory": "200Mi"]
        ),
        Case(
            name: "a pod's maximum leaves something",
            limits: #"[{"type":"Pod","max":{"memory":"2304Mi"}}]"#,
            others: ["limits": ["memory": "2Gi"], "requests": ["memory": "1Gi"]],
            requests: ["cpu": "50m", "memory": "96Mi"],
            limit: ["memory": "256Mi"]
        ),
        Case(
            name: "a pod's maximum leaves nothing",
            limits: #"[{"type":"Pod","max":{"memory":"2Gi"}}]"#,
            others: ["limits": ["memory": "2Gi"]],
            reason: "memory of at most 0Mi is left, and it needs 64Mi"
        ),
        Case(
            name: "a pod's ratio",
            limits: #"[{"type":"Pod","maxLimitRequestRatio":{"memory":"1"}}]"#,
            others: ["limits": ["memory": "2Gi"], "requests": ["memory": "2Gi"]],
            reason: "the pod's memory limits may be 1 times the requests at most"
        ),
        Case(
            name: "claims are none of our business",
            limits: #"[{"type":"PersistentVolumeClaim","max":{"storage":"1Gi"}}]"#,
            requests: ["cpu": "50m", "memory": "96Mi"],
            limit: ["memory": "512Mi"]
        ),
        Case(
            name: "a quota that counts processor limits",
            limits: "[]",
            quota: #"[{"spec":{"hard":{"limits.cpu":"8","limits.memory":"16Gi"}}}]"#,
            requests: ["cpu": "50m", "memory": "96Mi"],
            limit: ["cpu": "1000m", "memory": "512Mi"]
        ),
        Case(
            name: "nonsense is left to the API server",
            limits:
                #"[{"type":"Container","max":{"memory":"much"},"min":7,"maxLimitRequestRatio":{"cpu":"0"}},{"type":3},null]"#,
            requests: ["cpu": "50m", "memory": "96Mi"],
            limit: ["cpu": "0m", "memory": "512Mi"],
            reason: "processor time of at most 0 is left, and it needs 10m"
        ),
    ]

    @Test("a namespace's LimitRanges and quotas are kept, or there is no agent", arguments: cases)
    func namespaceLimits(one: Case) throws {
        let ranges = try #require(try JSONTree(parsing: one.limits).array).map {
            ["spec": ["limits": [$0]]] as JSONTree
        }
        let quotas = try #require(try JSONTree(parsing: one.quota).array)
        var facts = Pods.shop
        facts.take(NamespaceFacts.Limits(limitRanges: ranges, quotas: quotas))
        var pod = try Pods.pod(Pods.official)
        var container = try #require(pod[path: "spec", "containers"]?[0])
        container["resources"] = one.others
        pod["spec"]?["containers"] = [container]
        let decision = Pods.injector.decide(pod, in: facts)
        if let reason = one.reason {
            #expect(decision.error?.code == .resources)
            #expect(
                decision.error?.message
                    == "the LimitRange of namespace 'shop' leaves no room for an agent beside the database: \(reason)"
            )
            #expect(decision.outcome == .refused)
        } else {
            let resources = Pods.agent(in: decision.pod)?["resources"]
            #expect(resources?["requests"] == one.requests)
            #expect(resources?["limits"] == one.limit)
        }
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
