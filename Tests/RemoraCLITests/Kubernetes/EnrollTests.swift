import Injector
import Kubernetes
import Testing

@testable import RemoraCLI

@Suite("Enrolling a workload")
struct EnrollTests {
    @Test(
        "a workload is named as kubectl's users do",
        arguments: [
            ("statefulset/mongo", "statefulset/mongo"), ("sts/mongo", "statefulset/mongo"),
            ("StatefulSets.apps/mongo", "statefulset/mongo"), ("mongo", "statefulset/mongo"),
            ("deploy/mongo", "deployment/mongo"), ("ds/mongo", "daemonset/mongo"), ("pod/mongo", nil),
            ("statefulset/", nil), ("a/b/c", nil), ("", nil),
        ]
    )
    func references(_ text: String, _ expected: String?) {
        #expect(WorkloadReference(argument: text)?.description == expected)
    }

    @Test("the patch has only what changes, and taking it back removes ours and nothing else")
    func patch() {
        let workload = ClusterSamples.statefulSet(annotations: ["note": "x", Annotation.cluster.name: "old"])
        let added = Enrollment.adding(
            [Annotation.inject.name: "true", Annotation.cluster.name: "new"],
            to: workload
        )
        let annotations: JSONTree = ["remora.dev/inject": "true", "remora.dev/cluster": "new"]
        #expect(added.patch == ["spec": ["template": ["metadata": ["annotations": annotations]]]])
        #expect(added.annotations["note"] == "x")
        let again = Enrollment.adding([Annotation.cluster.name: "old"], to: workload)
        #expect(again.changes.isEmpty)
        let removed = Enrollment.removing(from: workload)
        #expect(removed.patch == ["spec": ["template": ["metadata": ["annotations": ["remora.dev/cluster": .null]]]]])
        #expect(removed.annotations == ["note": "x"])
        #expect(added.yaml.contains("        remora.dev/inject: \"true\"\n"))
    }

    @Test(
        "what restarts is said as the update strategy has it",
        arguments: [
            ([:], "this restarts 3 pods, one after the other, the highest number first"),
            (["replicas": 1], "this restarts 1 pod"),
            (["replicas": 0], "this restarts nothing: statefulset/mongo has no pods now"),
            (["updateStrategy": ["type": "OnDelete"]], "this restarts nothing by itself (update strategy OnDelete)"),
            (
                ["updateStrategy": ["rollingUpdate": ["partition": 2]]],
                "this restarts 1 pod; those below number 2 stay without (partition)"
            ),
            (
                ["updateStrategy": ["rollingUpdate": ["partition": 3]]],
                "this restarts nothing: its update strategy keeps"
            ),
            (["updateStrategy": ["rollingUpdate": ["maxUnavailable": 2]]], "this restarts 3 pods, several at once"),
        ] as [(JSONTree, String)]
    )
    func statefulSets(_ spec: JSONTree, _ expected: String) {
        #expect(ClusterSamples.statefulSet(spec).consequence.hasPrefix(expected))
    }

    @Test("a Deployment that stops everything first is told from one that doesn't")
    func deployments() {
        let object = ClusterSamples.statefulSet().object
        let reference = WorkloadReference(.deployment, "mongo")
        let rolling = WorkloadFacts(reference: reference, object: object)
        #expect(rolling.consequence.hasPrefix("this replaces 3 pods, a new one starting before"))
        let recreating = WorkloadFacts(
            reference: reference,
            object: object.with("spec", "strategy", value: ["type": "Recreate"])
        )
        #expect(recreating.consequence == "this stops all 3 pods at once, then starts new ones")
    }

    @Test(
        "what will take the change back is named",
        arguments: [
            (["managedFields": [["manager": "argocd-application-controller"]]], "Argo CD"),
            (["managedFields": [["manager": "kustomize-controller"]]], "Flux"),
            (["labels": ["kustomize.toolkit.fluxcd.io/name": "apps"]], "Flux"),
            (["annotations": ["argocd.argoproj.io/tracking-id": "x"]], "Argo CD"),
            (
                ["ownerReferences": [["kind": "PerconaServerMongoDB", "name": "db", "controller": true]]],
                "PerconaServerMongoDB 'db' owns statefulset/mongo"
            ),
        ] as [(JSONTree, String)]
    )
    func keepers(_ metadata: JSONTree, _ expected: String) throws {
        let warnings = ClusterSamples.statefulSet(metadata: metadata).warnings
        #expect(warnings.count == 1)
        #expect(try #require(warnings.first).contains(expected))
    }

    @Test("kubectl and a controller that writes status are no reason for a warning")
    func harmlessManagers() {
        let managers: JSONTree = [["manager": "kubectl-client-side-apply"], ["manager": "kube-controller-manager"]]
        #expect(ClusterSamples.statefulSet(metadata: ["managedFields": managers]).warnings.isEmpty)
    }

    @Test("annotations are judged by the injector's own code, claims of a StatefulSet counted as volumes")
    func trial() {
        let workload = ClusterSamples.statefulSet()
        func judge(_ annotations: [String: String], labels: [String: String] = [:]) -> TemplateTrial.Verdict {
            TemplateTrial.judge(
                workload,
                annotations: annotations.merging([Annotation.inject.name: "true"]) { $1 },
                namespace: NamespaceFacts(name: "shop", labels: labels)
            )
        }
        #expect(judge([:]) == TemplateTrial.Verdict(refusal: nil, warnings: [], cluster: "mongo"))
        #expect(judge([Annotation.dataMount.name: "ro"]).refusal == nil)
        let keys = judge([Annotation.credentialsKeys.name: "username=a,password=b"])
        #expect(keys.refusal?.contains("remora.dev/credentials-secret must name") == true)
        #expect(
            judge([Annotation.tlsMode.name: "verify-full"]).refusal?.contains("needs remora.dev/tls-secret") == true
        )
        #expect(judge([Annotation.endpoint.name: "db.example:27017"]).refusal?.contains("own pod only") == true)
        let optedOut = judge([:], labels: [NamespaceFacts.optOutLabel: "disabled"])
        #expect(optedOut.refusal?.contains("wants no agents") == true)
    }
}
