import FakeAPIServer
import Kubernetes
import Testing

@Suite("the fake API server: limits and quotas of namespaces")
struct LimitTests {
    private func answer(_ limits: JSONTree, quota: JSONTree? = nil, _ resources: JSONTree) async throws -> (
        status: Int, message: String, pod: JSONTree?
    ) {
        var result: (status: Int, message: String, pod: JSONTree?) = (0, "", nil)
        try await FakeAPIServer.run { fake in
            try await fake.create(["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "shop"]])
            try await fake.create([
                "apiVersion": "v1", "kind": "LimitRange", "metadata": ["name": "l", "namespace": "shop"],
                "spec": ["limits": limits],
            ])
            if let quota {
                try await fake.create([
                    "apiVersion": "v1", "kind": "ResourceQuota", "metadata": ["name": "q", "namespace": "shop"],
                    "spec": ["hard": quota],
                ])
            }
            let answer = await fake.send(
                "POST",
                "/api/v1/namespaces/shop/pods",
                [
                    "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p"],
                    "spec": ["containers": [["name": "c", "image": "i", "resources": resources]]],
                ]
            )
            result = (
                answer.status, answer.body["message"]?.string ?? "",
                fake.object("pods", namespace: "shop", name: "p")
            )
        }
        return result
    }

    @Test(
        "a container out of bounds is refused, in the real one's words",
        arguments: [
            (
                ["max": ["memory": "256Mi"]], ["limits": ["memory": "512Mi"]],
                "maximum memory usage per Container is 256Mi"
            ),
            (["min": ["cpu": "100m"]], ["requests": ["cpu": "50m"]], "minimum cpu usage per Container is 100m"),
            (
                ["maxLimitRequestRatio": ["memory": "2"]],
                ["requests": ["memory": "64Mi"], "limits": ["memory": "512Mi"]],
                "memory max limit to request ratio per Container is 2"
            ),
            (
                ["maxLimitRequestRatio": ["cpu": "2"]], ["requests": ["cpu": "1"]],
                "but no limit is specified or limit is 0"
            ),
        ] as [(JSONTree, JSONTree, String)]
    )
    func container(_ bounds: JSONTree, _ resources: JSONTree, _ text: String) async throws {
        var item = bounds
        item["type"] = "Container"
        let answer = try await answer([item], resources)
        #expect(answer.status == 403)
        #expect(answer.message.contains("pods \"p\" is forbidden: "))
        #expect(answer.message.contains(text))
    }

    @Test("a pod is measured as a whole, and a quota wants what it counts to be said")
    func whole() async throws {
        let limits: JSONTree = [["type": "Pod", "max": ["memory": "256Mi"]]]
        let big = try await answer(limits, ["limits": ["memory": "512Mi"]])
        #expect(big.message.contains("maximum memory usage per Pod is 256Mi"))
        let silent = try await answer([], quota: ["limits.cpu": "4"], ["limits": ["memory": "512Mi"]])
        #expect(silent.message.contains("failed quota: q: must specify limits.cpu for: c"))
        #expect(try await answer([], quota: ["limits.cpu": "4"], ["limits": ["cpu": "1"]]).status == 201)
    }

    @Test("what a container leaves open is filled in: from defaults, the greatest, the least")
    func defaults() async throws {
        let limits: JSONTree = [["type": "Container", "max": ["cpu": "1"], "min": ["memory": "64Mi"]]]
        let pod = try await answer(limits, [:]).pod
        let resources = pod?[path: "spec", "containers"]?[0]?["resources"]
        #expect(resources == ["limits": ["cpu": "1"], "requests": ["cpu": "1", "memory": "64Mi"]])
    }
}
