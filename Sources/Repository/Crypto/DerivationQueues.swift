import Dispatch
import Glibc
import Synchronization

/// Threads for scrypt: one for every two cores, each with its own queue, because Dispatch gives those a thread each.
enum DerivationQueues {
    private static let queues = (0..<max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)) / 2))
        .map { DispatchQueue(label: "remora.scrypt.\($0)") }
    private static let turn = Atomic(0)

    /// The queues in turn.
    static func next() -> DispatchQueue {
        queues[turn.wrappingAdd(1, ordering: .relaxed).oldValue & Int.max % queues.count]
    }
}
