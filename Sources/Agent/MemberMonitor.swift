import BackupModel
import Engines
import Logging

/// Looks at the member every few seconds, and says when something changed that the coordinator should know at once.
struct MemberMonitor: Sendable {
    /// Between two looks: fast enough for a change of primary to be known before a job is given out.
    static let interval: Duration = .seconds(5)
    /// A look that takes longer than this is reported as a member that doesn't answer.
    static let patience: Duration = .seconds(20)

    let engine: any Engine
    let status: Watched<MemberStatus?>
    /// Grows with every change that matters.
    let wake: Watched<UInt64>
    let log: Logger
    var interval = MemberMonitor.interval
    var patience = MemberMonitor.patience

    /// Looks until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await look()
            do { try await Task.sleep(for: interval) } catch { return }
        }
    }

    /// Looks once; a look that hangs doesn't hide that it hangs.
    func look() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await Task.sleep(for: patience)
                } catch {
                    return  // the look was in time
                }
                publish(
                    MemberStatus(
                        isReachable: false,
                        problems: ["the database has not answered for \(patience.formattedSeconds)"]
                    )
                )
            }
            publish(await engine.inspect())
            group.cancelAll()
        }
    }

    private func publish(_ fresh: MemberStatus) {
        let (matters, news) = status.update { current in
            defer { current = fresh }
            let news = MemberNews.lines(current, fresh)
            guard let current else { return (true, news) }
            return (MemberSignificance.differs(current, fresh), news)
        }
        for (level, sentence) in news { log.log(level: level, "\(sentence)") }
        if matters { wake.update { $0 &+= 1 } }
    }
}

/// What a person who reads the agent's log should learn of a look at the member: only what is new.
enum MemberNews {
    static func lines(_ old: MemberStatus?, _ new: MemberStatus) -> [(level: Logger.Level, sentence: String)] {
        let known = old?.problems ?? []
        var lines = new.problems.filter { !known.contains($0) }.map { (level: Logger.Level.warning, sentence: $0) }
        if new.isReachable, old?.isReachable != true {
            let facts = [
                new.role.map { "\($0.rawValue)\(new.group.map { " of \($0)" } ?? "")" },
                new.version.map { "version \($0)" },
            ].compactMap(\.self).joined(separator: ", ")
            lines.append(
                (.info, "the database \(new.host.map { "at \($0) " } ?? "")answers\(facts.isEmpty ? "" : ": \(facts)")")
            )
        } else if new.isReachable, !known.isEmpty, new.problems.isEmpty {
            lines.append((.info, "nothing is wrong with the database any more"))
        }
        return lines
    }
}
