import Foundation
import TestSupport
import Testing

/// The page of options against what the programs say of themselves.
@Suite("docs/reference/programs.md")
struct OptionsTests {
    @Test("it has every option of each program, and no other", arguments: ["remora-coordinator", "remora-agent"])
    func options(program: String) async throws {
        let help = try await Command(Binaries.beside().path(program), ["--help"]).run().text
        let page = try String(contentsOfFile: "\(Tools.packageRoot)/docs/reference/programs.md", encoding: .utf8)
        let section = try #require(page.components(separatedBy: "\n## ").first { $0.hasPrefix("\(program)\n") })
        let said = Set(help.matches(of: /(?m)^  (--[a-z-]+)/).map { String($0.1) }).subtracting(["--version"])
        // In the first column: others explain.
        let written = section.matches(of: /(?m)^\| (`[^|]*) \|/).flatMap { row in
            row.1.matches(of: /--[a-z-]+/).map { String($0.0) }
        }
        #expect(said.count > 15)
        #expect(Set(written) == said, "\(Set(written).symmetricDifference(said).sorted())")
        #expect(Set(written).count == written.count, "none twice")
    }
}
