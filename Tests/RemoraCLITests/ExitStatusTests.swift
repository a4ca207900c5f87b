import Foundation
import TestSupport
import Testing

@testable import RemoraCLI

@Suite("Exit codes")
struct ExitStatusTests {
    @Test("the page of exit codes is what the table says")
    func documentationIsCurrent() throws {
        let path = "\(Tools.packageRoot)/docs/reference/exit-codes.md"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text == ExitStatus.markdown, "run: remora exit-codes --markdown > docs/reference/exit-codes.md")
    }

    @Test("no code, name or job failure stands in the table twice")
    func tableIsConsistent() {
        #expect(Set(ExitStatus.all.map(\.code)).count == ExitStatus.all.count)
        #expect(Set(ExitStatus.all.map(\.name)).count == ExitStatus.all.count)
        let failures = ExitStatus.all.flatMap(\.jobFailures)
        #expect(Set(failures).count == failures.count)
        #expect(ExitStatus.all.map(\.code) == ExitStatus.all.map(\.code).sorted())
    }

    @Test(
        "a failed job or session ends the command that waits with the failure's code",
        arguments: [
            ("targetNotEmpty", 7), ("TargetNotEmpty", 7), ("wrongPassword", 8), ("WrongPassword", 8),
            ("repositoryDamaged", 10), ("databaseUnreachable", 13), ("somethingNew", 1), ("", 1),
        ]
    )
    func jobFailures(_ code: String, _ expected: Int32) {
        #expect(ExitStatus.ofJobFailure(code).code == expected)
    }
}
