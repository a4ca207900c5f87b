import BackupModel

/// `remora backup NAME --plan`.
enum PlanPage {
    static func make(_ plan: BackupPlanView) -> Page {
        var page = Page()
        let what = plan.topology.map { ", a \($0)" } ?? ""
        page.add(
            "backup \("\(plan.namespace)/\(plan.configuration)", .bold) of \(plan.target)\(what), into \(plan.repository)"
        )
        for obstacle in plan.obstacles { page.add("  \("!", .bad) \(obstacle)") }
        if !plan.groups.isEmpty {
            page.add()
            var table = Table([
                .text("GROUP"), .text("POD"), .text("MEMBER"), .text("READ BY"), .number("DATA"), .number("OPLOG"),
                .number("LAST TOOK"), .number("LOCKED FOR"), .number("NEW THEN"),
            ])
            for group in plan.groups { table.add(cells(group)) }
            page.add(table)
            page.heading("Why")
            for group in plan.groups { page.add("  \(group.name, .bold): \(group.reason)") }
        }
        guard !plan.warnings.isEmpty else { return page }
        page.heading("Warnings")
        for warning in plan.warnings {
            let place = warning.group.map { "\($0): " } ?? ""
            page.add("  \("!", .caution) \(place)\(warning.message)")
            page.add("    \("-> \(warning.advice)", .accent)")
        }
        return page
    }

    private static func cells(_ group: BackupPlanView.Group) -> [StyledText] {
        let host = group.host.map { host in "\(host) (\(group.memberRole?.rawValue ?? "?"))" }
        let isLocked = group.consistency == .lock
        return [
            "\(group.name, .bold)",
            "\(group.pod ?? "nobody", group.pod == nil ? .bad : .plain)",
            "\(host ?? "")",
            "\(group.consistency?.rawValue ?? "")",
            "\(group.dataBytes.map { Format.bytes($0) } ?? "?")",
            "\(group.oplogWindowSeconds.map { Format.duration(seconds: Int64($0)) } ?? "")",
            "\(group.last.map { Format.duration(milliseconds: $0.durationMs) } ?? "never yet")",
            "\(isLocked ? group.last?.lockHeldMs.map { Format.duration(milliseconds: $0) } ?? "?" : "")",
            "\(group.last.map { Format.bytes($0.bytesAdded) } ?? "")",
        ]
    }
}
