import BackupModel

/// `remora sessions`.
enum SessionsPage {
    static func make(_ sessions: [SessionView], clock: Clock) -> Page {
        var page = Page()
        guard !sessions.isEmpty else {
            page.add("no sessions yet; \("remora backup NAME", .bold) makes one")
            return page
        }
        var table = Table([
            .text("SESSION"), .text("KIND"), .text("TARGET"), .text("PHASE"), .text("STARTED"), .number("TOOK"),
            .number("SIZE"), .number("NEW"), .text("MESSAGE"),
        ])
        for session in sessions { table.add(row: row(session, clock)) }
        page.add(table, isCut: true)
        return page
    }

    private static func row(_ session: SessionView, _ clock: Clock) -> [StyledText] {
        [
            "\("\(session.namespace)/\(session.name)", .bold)",
            "\(session.kind.rawValue)",
            "\(session.target)",
            "\(session.phase.rawValue, SessionText.style(session.phase))",
            "\(clock.age(session.startTime))",
            "\(Format.duration(seconds: session.durationSeconds))",
            "\(bytes(session).map { Format.bytes($0) } ?? "")",
            "\(session.manifest.map { Format.bytes($0.bytesAdded) } ?? "")",
            "\(session.phase == .succeeded ? "" : session.message ?? session.reason ?? "")",
        ]
    }

    private static func bytes(_ session: SessionView) -> Int64? {
        if let manifest = session.manifest { return manifest.bytes }
        let restored = session.hosts.compactMap(\.restore)
        if !restored.isEmpty { return restored.reduce(0) { $0 + $1.bytes } }
        let progress = session.hosts.compactMap(\.progress)
        return session.phase.isFinal || progress.isEmpty ? nil : progress.reduce(0) { $0 + $1.bytesDone }
    }
}

extension Table {
    mutating func add(row: [StyledText]) { rows.append(row) }
}
