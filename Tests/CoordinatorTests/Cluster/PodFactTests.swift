import Kubernetes
import Testing

@testable import Coordinator

@Suite struct PodFactTests {
    private static let pod = KubernetesObject([
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": [
            "name": "users-5d4f-x", "namespace": "shop", "uid": "u1", "resourceVersion": "7",
            "creationTimestamp": "2026-11-30T10:00:00Z", "generateName": "users-5d4f-",
            "labels": ["app": "users", "pod-template-hash": "5d4f", "remora.dev/injected": "true"],
            "annotations": [
                "remora.dev/inject": "true", "remora.dev/blueprint": "nightly", "params.remora.dev/keep": "7",
                "remora.dev/status": #"{"v":1,"image":"remora-agent@sha256:0"}"#, "checksum/config": "8b1a",
            ],
            "ownerReferences": [
                ["apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": "u2"],
                [
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "users-5d4f", "uid": "u3",
                    "controller": true, "blockOwnerDeletion": true,
                ],
            ],
        ],
    ])

    @Test("what is kept of a pod says the same of it, and nothing that nobody looks at")
    func trimmed() throws {
        var kept = Self.pod
        PodFact.trim(&kept)
        let fact = try #require(PodFact(Self.pod))
        #expect(PodFact(kept) == fact)
        #expect(fact.cluster == "users" && fact.controller?.name == "users-5d4f")
        #expect(
            fact.annotations.keys.sorted() == ["params.remora.dev/keep", "remora.dev/blueprint", "remora.dev/inject"]
        )
        #expect(kept.labels == ["pod-template-hash": "5d4f", "remora.dev/injected": "true"])
        #expect(kept.annotations == fact.annotations && kept.ownerReferences.count == 1)
        #expect(kept.metadata["generateName"] == nil && kept.resourceVersion == "7")
    }

    @Test("of a pod that isn't ours only its name and version are kept")
    func foreign() {
        var kept = Self.pod
        kept.metadata["labels"] = ["app": "users"]
        kept.metadata["annotations"] = ["checksum/config": "8b1a"]
        PodFact.trim(&kept)
        #expect(PodFact(kept) == nil)
        #expect(kept.labels.isEmpty && kept.annotations.isEmpty && kept.ownerReferences.isEmpty)
    }
}
