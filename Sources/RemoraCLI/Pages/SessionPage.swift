import BackupModel

/// `remora describe`: what is wrong first, then what was done, then everything that happened.
enum SessionPage {
    /// The page; `lastLines` is the end of the log of each pod that failed.
    static func make(_ session: SessionView, lastLines: [String: [PodLogLine]] = [:], clock: Clock) -> Page {
        var page = Page()
        page.add(SessionText.title(session))
        addFailure(session, to: &page)
        page.add()
        page.add(facts(session, clock))
        if !session.hosts.isEmpty {
            page.heading("Jobs")
            page.add(jobs(session, clock))
            addChoices(session, to: &page)
        }
        if let manifest = session.manifest {
            page.heading("Snapshots")
            var table = Table([.text("GROUP"), .text("SNAPSHOT"), .text("READ FROM")], indentation: 2)
            for group in manifest.groups { table.add("\(group.group)", "\(group.snapshotID)", "\(group.host)") }
            page.add(table)
        }
        let warnings = SessionText.warnings(session)
        if !warnings.isEmpty {
            page.heading("Warnings")
            for warning in warnings { page.add("  \("!", .caution) \(warning)") }
        }
        addConditions(session, to: &page)
        if !session.events.isEmpty {
            page.heading("Events")
            var table = Table([.text("TIME"), .text("WHAT"), .text("")], indentation: 2)
            for event in session.events {
                table.add("\(clock.preciseTimeOfDay(event.time))", "\(event.type)", "\(event.message)")
            }
            page.add(table)
        }
        for pod in lastLines.keys.sorted() {
            page.heading("Last lines of \(pod)'s log")
            for line in lastLines[pod] ?? [] { page.add("  \(LogText.line(line, clock: clock, namesPod: false))") }
        }
        return page
    }

    private static func addFailure(_ session: SessionView, to page: inout Page) {
        guard let failure = SessionText.failure(session) else { return }
        page.add()
        if let reason = session.reason { page.add("\(reason, .bad): \(session.message ?? "")") }
        for host in session.hosts {
            guard let failure = host.failure, session.message?.hasSuffix(failure.message) != true else { continue }
            page.add("  \(host.pod) (attempt \(host.attempt)): \(failure.code, .bad): \(failure.message)")
        }
        if let hint = CommandFailure.hint(forReason: session.reason) { page.add("  \("hint:", .accent) \(hint)") }
        if session.reason == nil, session.message == nil { page.add("\(failure.message, .bad)") }
    }

    private static func facts(_ session: SessionView, _ clock: Clock) -> [(String, StyledText?)] {
        let isOver = session.phase.isFinal
        return [
            ("Target", "\(session.namespace)/\(session.target)"),
            ("Configuration", session.configuration.map { "\($0)" }),
            ("Repository", "\(session.repository)"),
            ("Restored from", session.source.map { "\($0)" }),
            ("Asked for by", "\(session.requestedBy ?? "the schedule")"),
            ("Started", "\(clock.timeAndAge(session.startTime))"),
            ("Ended", session.endTime.map { "\(clock.timeAndAge($0))" }),
            ("Given up", isOver ? nil : session.deadline.map { "\(clock.timeAndAge($0))" }),
            ("Amount", SessionText.amount(session).map { "\($0)" }),
            (
                "Promise",
                session.manifest.map { "\(SessionText.promise($0.guarantee, cut: $0.cut, clock: clock))" }
            ),
        ]
    }

    private static func jobs(_ session: SessionView, _ clock: Clock) -> Table {
        var table = Table(
            [
                .text("POD"), .text("MEMBER"), .text("GROUP"), .text("ROLE"), .number("TRY"), .text("STATE"),
                .number("TOOK"), .number("SIZE"), .text("LOCK"), .text("STEP"),
            ],
            indentation: 2
        )
        for host in session.hosts { table.add(row: job(host, clock)) }
        return table
    }

    private static func job(_ host: HostView, _ clock: Clock) -> [StyledText] {
        let end = host.endTime ?? clock.now()
        let bytes = host.backup?.bytes ?? host.restore?.bytes ?? host.progress?.bytesDone
        let lock = host.backup?.lock ?? host.lock
        return [
            "\(host.pod, .bold)", "\(host.host)", "\(host.group)", "\(host.role?.rawValue ?? "")", "\(host.attempt)",
            "\(host.phase.rawValue, SessionText.style(host.phase))",
            "\(Format.duration(milliseconds: end.milliseconds(since: host.startTime)))",
            "\(bytes.map { Format.bytes($0) } ?? "")",
            lock.map { self.lock($0) } ?? "",
            "\(host.endTime == nil ? host.progress?.step ?? "" : "")",
        ]
    }

    private static func lock(_ lock: LockReport) -> StyledText {
        let held = Format.duration(milliseconds: lock.heldMs)
        return lock.isHeld ? "\("held for \(held)", .caution)" : "\(held), then \(lock.endReason ?? "released")"
    }

    private static func addChoices(_ session: SessionView, to page: inout Page) {
        for host in session.hosts {
            guard let choice = host.choice, !choice.isEmpty else { continue }
            let sentence = choice.hasPrefix("\(host.pod):") ? choice : "\(host.pod): \(choice)"
            page.add("  \(sentence, .dim)")
        }
    }

    private static func addConditions(_ session: SessionView, to page: inout Page) {
        guard !session.conditions.isEmpty else { return }
        page.heading("Conditions")
        var table = Table([.text("IS SO"), .text("CONDITION"), .text("REASON"), .text("MESSAGE")], indentation: 2)
        for condition in session.conditions {
            let style: Style =
                switch condition.status {
                case .yes: .good
                case .no: .bad
                case .unknown: .dim
                }
            table.add(
                "\(condition.status.rawValue, style)",
                "\(condition.type)",
                "\(condition.reason)",
                "\(condition.message)"
            )
        }
        page.add(table)
    }
}
