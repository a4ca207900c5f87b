import BackupModel
import Foundation
import TestSupport
import Testing
import Yams

@Suite("manifests/install.yaml and what kustomize makes")
struct RenderingTests {
    private static func texts(_ objects: [[String: Any]]) throws -> [String] { try objects.map(Kustomization.text) }

    @Test("the rendered file holds exactly the objects that kustomize makes")
    func isComplete() throws {
        let file = URL(filePath: "\(Tools.packageRoot)/manifests/install.yaml")
        let rendered = try Self.texts(Kustomization.documents(file))
        #expect(rendered == (try Self.texts(Kustomization(".").objects)))
        #expect(rendered.count > 20)
    }

    @Test("the rendered file is current: if not, run make manifests")
    func isCurrent() async throws {
        let directory = "\(Tools.packageRoot)/manifests"
        let rendered = try await Command("/usr/bin/env", ["python3", "\(directory)/render"]).run()
        #expect(rendered.text == (try String(contentsOfFile: "\(directory)/install.yaml", encoding: .utf8)))
    }

    /// Debian has no package of it.
    private static let kubectl = try? Tools.find("kubectl", variable: "REMORA_KUBECTL")

    @Test(
        "kustomize itself makes the same of every overlay",
        .enabled(if: kubectl != nil, "there is no kubectl here"),
        arguments: [
            ".", "overlays/cert-manager", "overlays/fail-closed", "overlays/local-images", "overlays/single-replica",
        ]
    )
    func kustomize(name: String) async throws {
        let kubectl = try #require(Self.kubectl)
        let made = try await Command(kubectl, ["kustomize", "\(Tools.packageRoot)/manifests/\(name)"]).run()
        let theirs = try Yams.load_all(yaml: made.text).map { try Kustomization.text($0) }
        // kustomize puts kinds in an order of its own.
        #expect(theirs.sorted() == (try Self.texts(Kustomization(name).objects)).sorted())
    }

    @Test("images and labels have this version, and no image is named but in one place")
    func versions() throws {
        let deployment = try Kustomization.text(Kustomization(".").object("Deployment", "remora-coordinator"))
        for image in ["remora-coordinator", "remora-agent"] {
            #expect(deployment.contains("\"\(image):\(RemoraVersion.current)\""), "\(deployment)")
        }
        let labels = deployment.split(separator: "\"app.kubernetes.io\\/version\":").dropFirst()
        #expect(labels.count == 2 && labels.allSatisfy { $0.hasPrefix("\"\(RemoraVersion.current)\"") })
        let definitions = try Kustomization("crds").objects
        #expect(definitions.count == 9)
        for definition in definitions {
            let labels = (definition["metadata"] as? [String: Any])?["labels"] as? [String: Any]
            #expect(labels?["app.kubernetes.io/version"] as? String == RemoraVersion.current)
        }
    }

    @Test(
        "an overlay changes what it says, and nothing else",
        arguments: [
            ("fail-closed", ["MutatingWebhookConfiguration"], 0), ("single-replica", ["Deployment"], 0),
            ("local-images", ["Deployment"], 0),
            ("cert-manager", ["Deployment", "MutatingWebhookConfiguration"], 4),
        ] as [(String, [String], Int)]
    )
    func overlays(name: String, changed: [String], added: Int) throws {
        let plain = try Kustomization(".").objects
        let overlay = try Kustomization("overlays/\(name)").objects
        #expect(overlay.count == plain.count + added)
        var kinds: [String] = []
        for (before, after) in zip(plain, overlay) where try Kustomization.text(before) != Kustomization.text(after) {
            kinds.append(after["kind"] as? String ?? "")
        }
        #expect(kinds.sorted() == changed)
    }

    @Test("overlays do what they are for")
    func effects() throws {
        let webhook = try Kustomization("overlays/fail-closed").object(
            "MutatingWebhookConfiguration",
            "zz-remora-injector"
        )
        #expect((webhook["webhooks"] as? [[String: Any]])?.first?["failurePolicy"] as? String == "Fail")
        let single = try Kustomization("overlays/single-replica").object("Deployment", "remora-coordinator")
        #expect((single["spec"] as? [String: Any])?["replicas"] as? Int == 1)
        let images = try Kustomization("overlays/local-images")
        let local = try Kustomization.text(images.object("Deployment", "remora-coordinator"))
        for image in ["remora-coordinator", "remora-agent"] {
            #expect(local.contains("\"localhost\\/\(image):\(RemoraVersion.current)\""), "\(local)")
            #expect(!local.contains("\"\(image):"), "\(local)")
        }
        let managed = try Kustomization.text(Kustomization("overlays/cert-manager").objects)
        #expect(managed.contains("\"--tls-certificate=\\/etc\\/remora\\/tls\\/tls.crt\""))
        #expect(managed.contains("\"cert-manager.io\\/inject-ca-from\":\"remora-system\\/remora-coordinator\""))
    }
}
