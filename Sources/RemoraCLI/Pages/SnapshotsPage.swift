import BackupModel

/// `remora snapshots` and `remora locks`.
enum SnapshotsPage {
    static func make(_ backups: [BackupView], clock: Clock) -> Page {
        var page = Page()
        guard !backups.isEmpty else {
            page.add("no backups yet; \("remora backup NAME", .bold) makes one")
            return page
        }
        var table = Table([
            .text("SESSION"), .text("TAKEN"), .text("TARGET"), .text("PROMISE"), .number("DOCUMENTS"),
            .number("SIZE"), .number("NEW"), .text("SNAPSHOTS"), .text(""),
        ])
        for backup in backups {
            let snapshots = backup.groups.map { "\($0.group):\($0.snapshotID.prefix(8))" }.joined(separator: " ")
            let warnings = backup.warnings.isEmpty ? "" : Format.count(Int64(backup.warnings.count), "warning")
            table.add(
                "\("\(backup.namespace)/\(backup.session)", .bold)",
                "\(clock.timeAndAge(backup.time))",
                "\(backup.target)",
                "\(backup.guarantee.rawValue, style(backup.guarantee))",
                "\(Format.count(backup.documents))",
                "\(Format.bytes(backup.bytes))",
                "\(Format.bytes(backup.bytesAdded))",
                "\(snapshots)",
                "\(warnings, .caution)"
            )
        }
        page.add(table)
        return page
    }

    private static func style(_ guarantee: Guarantee) -> Style {
        switch guarantee {
        case .clusterCut, .groupCut: .good
        case .node: .plain
        case .fuzzy: .caution
        }
    }

    static func make(_ locks: [LockView], clock: Clock) -> Page {
        var page = Page()
        guard !locks.isEmpty else {
            page.add("no member is locked, and none was lately")
            return page
        }
        var table = Table([
            .text("STATE"), .text("MEMBER"), .text("POD"), .text("SESSION"), .text("SINCE"), .number("HELD"),
            .text("GIVEN UP AT"), .text("ENDED BY"), .text("WHY"),
        ])
        // Held ones first: they are what somebody looks for.
        for lock in locks.filter({ $0.endedAt == nil }) + locks.filter({ $0.endedAt != nil }) {
            let end = lock.endedAt ?? clock.now()
            let isLate = lock.endedAt == nil && lock.deadline < clock.now()
            let state: StyledText =
                lock.endedAt != nil ? "released" : isLate ? "\("OVERDUE", .bad)" : "\("held", .caution)"
            let rescue = lock.endedAt == nil ? lock.releaseJobID.map { "being released by job \($0)" } : nil
            let what = lock.kind == .balancer ? "balancer of \(lock.group ?? lock.host)" : lock.host
            table.add(
                state,
                "\(what, .bold)",
                "\(lock.pod)",
                "\(lock.session)",
                "\(clock.timeAndAge(lock.since))",
                "\(Format.duration(milliseconds: end.milliseconds(since: lock.since)))",
                "\(lock.endedAt == nil ? clock.time(lock.deadline) : "")",
                "\(lock.endedBy ?? rescue ?? "")",
                "\(lock.purpose ?? "")"
            )
        }
        page.add(table)
        return page
    }
}
