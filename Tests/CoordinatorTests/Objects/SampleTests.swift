import BackupModel
import Foundation
import TestSupport
import Testing

@testable import Coordinator

@Suite("The samples of manifests/samples as objects")
struct SampleTests {
    @Test(
        "a sample's objects have no problems, alone and together",
        arguments: [
            "standalone.yaml", "replica-set.yaml", "sharded-cluster.yaml", "mysql.yaml", "from-stash/remora.yaml",
        ]
    )
    func isGood(name: String) throws {
        let directory = try TestDirectory("samples")
        defer { directory.remove() }
        let text = try String(contentsOfFile: "\(Tools.packageRoot)/manifests/samples/\(name)", encoding: .utf8)
        let ours = text.components(separatedBy: "\n---\n").filter {
            $0.contains("apiVersion: \(ResourceGroup.apiVersion)\n")
        }
        try directory.write(ours.joined(separator: "\n---\n"), to: "all.yaml")
        let loaded = ObjectDirectory(path: directory.path).load()
        #expect(loaded.problems.isEmpty, "\(loaded.problems)")
        #expect(!loaded.objects.configurations.isEmpty && !loaded.objects.repositories.isEmpty)
        #expect(loaded.objects.configurations.values.allSatisfy { $0.spec.notices.isEmpty })
    }
}
