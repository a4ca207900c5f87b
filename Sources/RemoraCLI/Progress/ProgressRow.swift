import BackupModel

/// One job as a progress display shows it.
struct ProgressRow: Sendable, Hashable {
    /// What to call it: the pod; empty where there is only one job and the title names it.
    var name: String
    /// What it is doing when there is no step, like `Assigned`.
    var state: String
    var style: Style = .plain
    var progress: JobProgress?
    var lock: LockReport?
    /// Bytes a second, if known.
    var bytesPerSecond: Double?

    /// A change of this is worth a line where there is no terminal.
    var phase: String { "\(name) \(state) \(lock?.isHeld == true)" }

    /// For a terminal: a bar, or what is known without a total.
    func bar(nameWidth: Int, isUnicode: Bool) -> StyledText {
        let padding = String(repeating: " ", count: max(0, nameWidth - Printable.width(name)))
        var line: StyledText = nameWidth == 0 ? "  " : "  \(name)\(padding)  "
        if let percent = progress?.percent {
            line += "\(Self.bar(percent, width: 20, isUnicode: isUnicode), .accent) "
            let text = Format.percent(percent)
            line += "\(String(repeating: " ", count: max(0, 5 - text.count)))\(text)  "
        }
        return line + details
    }

    /// For everywhere else.
    var sentence: StyledText {
        var parts: [StyledText] = name.isEmpty ? [] : ["\(name)"]
        if let percent = progress?.percent { parts.append("\(Format.percent(percent))") }
        return .joined(parts + [details], separator: " ")
    }

    private var details: StyledText {
        var parts: [StyledText] = []
        if let progress, progress.bytesDone > 0 || progress.bytesTotal > 0 {
            parts.append(
                progress.bytesTotal > 0
                    ? "\(Format.bytes(progress.bytesDone)) of \(Format.bytes(progress.bytesTotal))"
                    : "\(Format.bytes(progress.bytesDone))"
            )
            if let bytesPerSecond { parts.append("\(Format.rate(bytesPerSecond))") }
            if let eta { parts.append("ETA \(eta)") }
        }
        let step = progress?.step ?? ""
        parts.append(StyledText(step.isEmpty ? state : step, style))
        if let lock, lock.isHeld { parts.append("\("locked \(Format.duration(milliseconds: lock.heldMs))", .caution)") }
        return .joined(parts, separator: "  ")
    }

    private var eta: String? {
        guard let progress, let bytesPerSecond, bytesPerSecond > 0, progress.bytesTotal > progress.bytesDone else {
            return nil
        }
        let seconds = Double(progress.bytesTotal - progress.bytesDone) / bytesPerSecond
        // More than a month is no forecast.
        return seconds < 2_600_000 ? Format.duration(seconds: Int64(seconds.rounded(.up))) : nil
    }

    static func bar(_ percent: Double, width: Int, isUnicode: Bool) -> String {
        let filled = min(width, max(0, Int(percent / 100 * Double(width))))
        let (full, empty) = isUnicode ? ("█", "░") : ("#", "-")
        return String(repeating: full, count: filled) + String(repeating: empty, count: width - filled)
    }
}
