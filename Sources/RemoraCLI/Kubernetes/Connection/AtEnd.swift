import Synchronization

/// What is given back when a command is over, however it ended.
final class AtEnd: Sendable {
    private let actions = Mutex<[@Sendable () async -> Void]>([])

    /// Has something done at the end; the last one first.
    func add(_ action: @escaping @Sendable () async -> Void) { actions.withLock { $0.append(action) } }

    /// Does it all, once.
    func run() async {
        let all = actions.withLock { actions in
            defer { actions = [] }
            return actions
        }
        for action in all.reversed() { await action() }
    }
}
