import FakeAPIServer
import Foundation
import Kubernetes
import TestSupport
import Testing

@Suite struct ClusterInstallTests {
    @Test("the coordinator's pod, with the agent's image run first, is let into its restricted namespace")
    func podSecurity() async throws {
        try await FakeAPIServer.run { fake in
            let path = "\(Tools.packageRoot)/manifests/install.yaml"
            try await fake.apply(yaml: try String(contentsOfFile: path, encoding: .utf8))
            let deployment = try #require(
                fake.object("deployments", group: "apps", namespace: "remora-system", name: "remora-coordinator")
            )
            let template = try #require(deployment[path: "spec", "template"])
            var pod: JSONTree = ["apiVersion": "v1", "kind": "Pod", "spec": template["spec"] ?? [:]]
            pod["metadata"] = template["metadata"]
            pod["metadata"]?["name"] = "remora-coordinator-0"
            let images = pod[path: "spec", "initContainers"]?.array?.compactMap { $0["image"]?.string } ?? []
            #expect(images.count == 1)
            func create(_ pod: JSONTree) async -> (Int, String) {
                let answer = await fake.send("POST", "/api/v1/namespaces/remora-system/pods", pod)
                return (answer.status, answer.body["message"]?.string ?? "")
            }
            // Each container is looked at, the first one too.
            var bad = pod
            var first = try #require(pod[path: "spec", "initContainers"]?[0])
            first["securityContext"]?["capabilities"] = nil
            bad["spec"]?["initContainers"] = [first]
            let refused = await create(bad)
            #expect(refused.0 == 403 && refused.1.contains("agent-image"), "\(refused)")
            let made = await create(pod)
            #expect(made.0 == 201, "\(made)")
        }
    }
}
