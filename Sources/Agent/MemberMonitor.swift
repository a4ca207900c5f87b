import BackupModel
import Engines

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
        let matters = status.update { current in
            defer { current = fresh }
            guard let current else { return true }
            return MemberSignificance.differs(current, fresh)
        }
        if matters { wake.update { $0 &+= 1 } }
    }
}
