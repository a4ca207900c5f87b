import BackupModel

/// Sessions in words.
enum SessionText {
    static func style(_ phase: SessionPhase) -> Style {
        switch phase {
        case .succeeded: .good
        case .failed: .bad
        case .cancelled, .skipped: .caution
        case .pending, .queued, .running, .finalizing: .accent
        }
    }

    static func style(_ phase: HostView.Phase) -> Style {
        switch phase {
        case .succeeded: .good
        case .failed, .lost: .bad
        case .cancelled: .caution
        case .assigned, .running, .committing: .accent
        }
    }

    /// `backup demo/shop-17: Running, 12 s`.
    static func title(_ session: SessionView) -> StyledText {
        var text: StyledText =
            "\(session.kind.rawValue) \("\(session.namespace)/\(session.name)", .bold): \(session.phase.rawValue, style(session.phase)), \(Format.duration(seconds: session.durationSeconds))"
        // Before jobs run, the message is all there is to know.
        if session.hosts.isEmpty, let message = session.message, !message.isEmpty { text += "  \(message, .dim)" }
        return text
    }

    /// One row an attempt: the newest of each group.
    static func rows(_ session: SessionView, _ meters: inout [String: RateMeter], at time: Duration) -> [ProgressRow] {
        var newest: [String: HostView] = [:]
        for host in session.hosts where newest[host.group].map({ $0.attempt <= host.attempt }) ?? true {
            newest[host.group] = host
        }
        return newest.values.sorted { ($0.group, $0.pod) < ($1.group, $1.pod) }.map { host in
            var row = ProgressRow(name: host.pod, state: host.phase.rawValue, style: style(host.phase))
            row.progress = host.phase == .running || host.phase == .committing ? host.progress : nil
            row.lock = host.lock
            if let progress = row.progress {
                meters[host.jobID, default: RateMeter()].add(progress.bytesDone, at: time)
                row.bytesPerSecond = meters[host.jobID]?.perSecond
            }
            return row
        }
    }

    /// What the session moved, in one sentence without an end; nil when nothing is known.
    static func amount(_ session: SessionView) -> String? {
        if let manifest = session.manifest {
            // A stream that a program wrote has none that could be counted.
            let documents = manifest.documents > 0 ? "\(Format.count(manifest.documents, "document")), " : ""
            return "\(documents)\(Format.bytes(manifest.bytes)), "
                + "\(Format.bytes(manifest.bytesAdded)) new"
        }
        let restored = session.hosts.compactMap(\.restore)
        guard !restored.isEmpty else { return nil }
        let documents = restored.reduce(0) { $0 + $1.documents }
        let bytes = restored.reduce(0) { $0 + $1.bytes }
        let namespaces = restored.reduce(0) { $0 + $1.namespaces }
        guard namespaces > 0 else {
            return "\(Format.bytes(bytes)), compared with the backup's before they were loaded"
        }
        return "\(Format.count(documents, "document")), \(Format.bytes(bytes)) in "
            + "\(Format.count(Int64(namespaces), "collection")), compared"
    }

    /// What a backup promises, in words.
    static func promise(_ guarantee: Guarantee, cut: ClusterTime?, clock: Clock) -> String {
        let point = cut.map { " \(clock.time(Moment(unixSeconds: Int64($0.t)))) (\($0))" } ?? ""
        return switch guarantee {
        case .clusterCut: "every group restores to one point,\(point)"
        case .groupCut: "restores to exactly\(point)"
        case .node: "one node as it was read, nobody writing assumed"
        case .fuzzy: "read while it changed: not one point in time"
        }
    }

    /// The end of a session that succeeded.
    static func success(_ session: SessionView, clock: Clock) -> Page {
        var page = Page()
        var line: StyledText =
            "\(session.kind.rawValue) \("\(session.namespace)/\(session.name)", .bold) \("succeeded", .good) in \(Format.duration(seconds: session.durationSeconds))"
        if let amount = amount(session) { line += ": \(amount)" }
        page.add(line)
        if let manifest = session.manifest {
            page.add("  \(promise(manifest.guarantee, cut: manifest.cut, clock: clock))")
        }
        for warning in warnings(session) { page.add("  \("warning:", .caution) \(warning)") }
        return page
    }

    static func warnings(_ session: SessionView) -> [String] {
        session.manifest?.warnings
            ?? session.hosts.flatMap { ($0.backup?.warnings ?? []) + ($0.restore?.warnings ?? []) }
    }

    /// How a command that waited for it ends; nil when it succeeded.
    static func failure(_ session: SessionView) -> CommandFailure? {
        let name = "\(session.namespace)/\(session.name)"
        let after = "after \(Format.duration(seconds: session.durationSeconds))"
        let why = session.message.flatMap { $0.isEmpty ? nil : ": \($0)" } ?? ""
        switch session.phase {
        case .succeeded: return nil
        case .cancelled:
            // A restore's message says itself what it left in the target.
            return CommandFailure(.cancelled, "\(session.kind.rawValue) \(name) was cancelled \(after)\(why)")
        case .skipped: return CommandFailure(.refused, "\(session.kind.rawValue) \(name) was skipped\(why)")
        default:
            let failed = session.hosts.last { $0.failure != nil }?.failure
            var status = ExitStatus.ofJobFailure(session.reason ?? "")
            if status == .failed, let failed { status = .ofJobFailure(failed.code) }
            let known = CommandFailure.hint(forReason: session.reason) ?? CommandFailure.hint(forReason: failed?.code)
            return CommandFailure(
                status,
                "\(session.kind.rawValue) \(name) failed \(after)\(why)",
                hint: known ?? "remora describe \(session.name) -n \(session.namespace)"
            )
        }
    }
}
