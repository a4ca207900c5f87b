import BackupModel

/// One line of a log as people read it.
enum LogText {
    /// `12:00:00.250 mongo-1  warning  lock  the message`.
    static func line(_ line: PodLogLine, clock: Clock, namesPod: Bool) -> StyledText {
        var text = StyledText()
        if line.t > 0 { text += "\(clock.preciseTimeOfDay(Moment(unixMs: line.t)), .dim) " }
        if namesPod, !line.pod.isEmpty { text += "\(line.pod, style(ofPod: line.pod)) " }
        text += "\(line.level.padded(to: 7), style(ofLevel: line.level)) "
        text += "\(line.component, .dim)  "
        return text + StyledText(line.message, line.level == "error" ? .bad : .plain)
    }

    static func style(ofLevel level: String) -> Style {
        switch level {
        case "error": .bad
        case "warning": .caution
        case "debug": .dim
        default: .plain
        }
    }

    /// The same pod has the same colour.
    private static func style(ofPod pod: String) -> Style {
        [.accent, .good, .bold][pod.utf8.reduce(0) { Int($0) + Int($1) } % 3]
    }
}

extension String {
    /// With spaces up to so many characters.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }
}
