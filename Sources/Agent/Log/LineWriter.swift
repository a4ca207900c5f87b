import Dispatch
import Synchronization

/// Writes lines to a descriptor (standard error) from a queue of its own: whoever reads slowly there can never hold up
/// a backup.
///
/// What doesn't fit is dropped, oldest first, and said so.
final class LineWriter: Sendable {
    /// Bytes that may wait: several thousand lines.
    static let capacity = 256 << 10

    private struct State {
        var lines: [[UInt8]] = []
        var bytes = 0
        var dropped = 0
        var isDraining = false
    }

    private let descriptor: Int32
    private let capacity: Int
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "remora.log.standard-error")

    init(descriptor: Int32, capacity: Int = LineWriter.capacity) {
        self.descriptor = descriptor
        self.capacity = capacity
    }

    /// Takes a line, with its line feed; returns at once.
    func write(_ line: [UInt8]) {
        let mustStart = state.withLock { state in
            state.lines.append(line)
            state.bytes += line.count
            var surplus = 0
            while state.bytes > capacity, surplus < state.lines.count - 1 {
                state.bytes -= state.lines[surplus].count
                state.dropped += state.lines[surplus].count
                surplus += 1
            }
            state.lines.removeFirst(surplus)
            defer { state.isDraining = true }
            return !state.isDraining
        }
        if mustStart { queue.async { self.drain() } }
    }

    /// Returns when what was taken before has been written.
    func flush() {
        queue.sync {}
    }

    private func drain() {
        while true {
            let batch: [UInt8]? = state.withLock { state in
                guard !state.lines.isEmpty else {
                    state.isDraining = false
                    return nil
                }
                var batch: [UInt8] = []
                if state.dropped > 0 { batch += LogGap.line(droppedBytes: Int64(state.dropped)) }
                batch += state.lines.joined()
                state.lines = []
                state.bytes = 0
                state.dropped = 0
                return batch
            }
            guard let batch else { return }
            // Nobody reads standard error any more: there is no place left to say so, and the job's log has it all.
            _ = writeAll(descriptor, batch)
        }
    }
}
