import Foundation
import TestSupport
import Testing

@Suite("The samples of manifests/samples")
struct SampleTests {
    typealias Map = [String: Any]

    @Test(
        "annotated pods belong to the sample's target, and what they and the coordinator need is there",
        arguments: [("standalone", 1), ("replica-set", 1), ("sharded-cluster", 3), ("mysql", 1)]
    )
    func isWhole(name: String, sets: Int) throws {
        let file = URL(filePath: "\(Tools.packageRoot)/manifests/samples/\(name).yaml")
        let all = try Kustomization.documents(file)
        let of = { (kind: String) in all.filter { $0["kind"] as? String == kind } }
        let secrets = of("Secret").map(Kustomization.name)
        let targets = of("AppBinding").map(Kustomization.name)
        let annotated = of("StatefulSet").compactMap { set in
            let template = (set["spec"] as? Map)?["template"] as? Map
            return (template?["metadata"] as? Map)?["annotations"] as? [String: String]
        }
        #expect(annotated.count == sets)
        for annotations in annotated {
            #expect(annotations["remora.dev/inject"] == "true")
            #expect(targets.contains(annotations["remora.dev/cluster"] ?? ""))
            #expect(secrets.contains(annotations["remora.dev/credentials-secret"] ?? ""))
        }
        let backend = (of("Repository").first?["spec"] as? Map)?["backend"] as? Map
        let storage = try #require(backend?["storageSecretName"] as? String)
        #expect(secrets.contains(storage))
        let rule = try #require((of("Role").first?["rules"] as? [Map])?.first)
        #expect(rule["resourceNames"] as? [String] == [storage] && rule["verbs"] as? [String] == ["get"])
        let subject = try #require((of("RoleBinding").first?["subjects"] as? [Map])?.first)
        #expect(
            subject["name"] as? String == "remora-coordinator" && subject["namespace"] as? String == "remora-system"
        )
        let namespaces = Set(all.compactMap { ($0["metadata"] as? Map)?["namespace"] as? String })
        #expect(Array(namespaces) == of("Namespace").map(Kustomization.name))
    }
}
