/// `remora doctor`.
enum DoctorPage {
    /// Finding by finding, in the order in which they should be mended.
    static func make(_ findings: [Finding]) -> Page {
        var page = Page()
        for check in DoctorCheck.all {
            let own = findings.filter { $0.check == check.name }
            guard !own.isEmpty else { continue }
            for finding in own {
                let subject: StyledText = finding.subject.map { "\($0, .bold): " } ?? ""
                page.add("\(mark(finding.level)) \(check.name.padded(to: width), .dim)  \(subject)\(finding.message)")
                if let fix = finding.fix { page.add("\(indentation)\("-> \(fix)", .accent)") }
            }
        }
        page.add()
        page.add(summary(findings))
        return page
    }

    private static let width = DoctorCheck.all.map(\.name.count).max() ?? 0
    private static let indentation = String(repeating: " ", count: 7 + width)

    private static func mark(_ level: Finding.Level) -> StyledText {
        switch level {
        case .ok: "\("ok  ", .good)"
        case .warn: "\("warn", .caution)"
        case .fail: "\("FAIL", .bad)"
        }
    }

    private static func summary(_ findings: [Finding]) -> StyledText {
        let failures = Int64(findings.count { $0.level == .fail })
        let warnings = Int64(findings.count { $0.level == .warn })
        switch (failures, warnings) {
        case (0, 0): return "\("All is well", .good)"
        case (0, _): return "\(Format.count(warnings, "warning"), .caution), nothing is broken"
        default: return "\(Format.count(failures, "failure"), .bad), \(Format.count(warnings, "warning"))"
        }
    }
}
