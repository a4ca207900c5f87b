import Glibc
import Synchronization

/// A job's log: a file in the state directory that is at the same time the queue of bytes for the coordinator.
///
/// The *logical log* is what the coordinator has or will have, addressed by byte offset. The file holds its end, from
/// `base` on, which is part of the file's name (`<job>.<base>.ndjson`) so that it survives a crash. When the file is
/// full, its older half goes; if some of that was never sent, a gap line takes its place in the logical log.
/// Appending never fails and never waits for anything but the page cache.
final class JobLogFile: Sendable {
    /// Bytes kept of one job's log: weeks of a quiet job, an hour of a very talkative one with the coordinator away.
    static let defaultCapacity = 8 << 20

    private struct State {
        var descriptor: Int32
        var path: String
        /// Logical offset of the file's first byte.
        var base: Int64
        /// Bytes in the file.
        var size: Int
        /// Logical offset up to which the coordinator has everything.
        var acknowledged: Int64
        /// What the gap line at the file's beginning stands for, if there is one.
        var headGap: HeadGap?
        /// Changes with every renumbering, so that answers to older patches are understood.
        var generation = 0
        /// Where the last piece handed out ended.
        var sentEnd: Int64
        /// Set when bytes that were perhaps sent were dropped: the coordinator may say, in the old numbering, that it
        /// has them up to here.
        var uncertainEnd: Int64?
        /// Bytes that could not be written (full disk), not yet told by a gap line.
        var unwritten: Int64 = 0

        var end: Int64 { base + Int64(size) }
    }

    /// A gap line that a later one can swallow.
    private struct HeadGap {
        var offset: Int64
        var lineBytes: Int64
        var droppedBytes: Int64
    }

    /// A piece of the log to send.
    struct Piece: Sendable, Equatable {
        /// Logical offset of its first byte.
        var offset: Int64
        var bytes: [UInt8]
        fileprivate var generation: Int

        static func == (left: Piece, right: Piece) -> Bool { left.offset == right.offset && left.bytes == right.bytes }
    }

    let jobID: String
    private let directory: String
    private let capacity: Int
    private let state: Mutex<State>

    /// Opens the log of a job in `directory`, which exists; goes on with what an earlier process left.
    init(directory: String, jobID: String, capacity: Int = JobLogFile.defaultCapacity) throws {
        self.directory = directory
        self.jobID = jobID
        self.capacity = capacity
        let base = LogDirectory.files(in: directory).last { $0.jobID == jobID }?.base ?? 0
        let path = LogDirectory.path(directory, jobID, base)
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw AgentError(.stateDirectory, "can't open the job's log \(path): \(lastErrorText())")
        }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        state = Mutex(
            State(
                descriptor: descriptor,
                path: path,
                base: base,
                size: size,
                acknowledged: base,
                sentEnd: base
            )
        )
    }

    deinit {
        state.withLock { _ = close($0.descriptor) }
    }

    /// Where the log ends.
    var end: Int64 { state.withLock { $0.end } }

    /// Whether the coordinator has all of it.
    var isDelivered: Bool { state.withLock { $0.acknowledged == $0.end } }

    /// Bytes that the coordinator doesn't have yet.
    var pendingBytes: Int64 { state.withLock { $0.end - $0.acknowledged } }

    /// Adds a line, with its line feed.
    func append(_ line: [UInt8]) {
        state.withLock { state in
            if state.size + line.count > capacity { compact(&state) }
            if state.unwritten > 0 {
                let gap = LogGap.line(droppedBytes: state.unwritten)
                guard write(&state, gap) else {
                    state.unwritten += Int64(line.count)
                    return
                }
                state.unwritten = 0
            }
            if !write(&state, line) { state.unwritten += Int64(line.count) }
        }
    }

    /// The next bytes to send: whole lines, at most `limit` bytes unless one line is longer; nil when there are none.
    func nextPiece(limit: Int) -> Piece? {
        state.withLock { state in
            let available = Int(state.end - state.acknowledged)
            guard available > 0 else { return nil }
            var bytes = read(state, from: Int(state.acknowledged - state.base), count: min(available, limit))
            if bytes.count < available, let lineEnd = bytes.lastIndex(of: 0x0A) {
                bytes.removeSubrange((lineEnd + 1)...)
            }
            guard !bytes.isEmpty else { return nil }
            state.sentEnd = state.acknowledged + Int64(bytes.count)
            return Piece(offset: state.acknowledged, bytes: bytes, generation: state.generation)
        }
    }

    /// The coordinator took a piece and wants `next` now.
    func acknowledge(_ piece: Piece, next: Int64) {
        state.withLock { state in
            if piece.generation == state.generation { state.uncertainEnd = nil }
            moveTo(next, &state)
        }
    }

    /// The coordinator has the log up to `offset` and wants what comes then.
    func moveTo(_ offset: Int64) {
        state.withLock { moveTo(offset, &$0) }
    }

    private func moveTo(_ offset: Int64, _ state: inout State) {
        if let uncertainEnd = state.uncertainEnd, offset > state.acknowledged, offset <= uncertainEnd {
            // What was counted as dropped arrived all the same: what is left comes after it.
            renumber(&state, base: state.base + offset - state.acknowledged)
        } else if offset < state.base {
            // It lost what it had, and it isn't here any more either.
            let gap = LogGap.line(droppedBytes: state.base - offset)
            let rest = read(state, from: 0, count: state.size)
            replace(&state, with: gap + rest, base: offset)
            state.generation += 1
        } else if offset > state.end {
            // It has more than was left here by a crash.
            renumber(&state, base: state.base + offset - state.end)
        }
        state.acknowledged = offset
        state.uncertainEnd = nil
    }

    // MARK: The file

    private func write(_ state: inout State, _ bytes: [UInt8]) -> Bool {
        guard writeAll(state.descriptor, bytes) else {
            // A half line must not stay; if even this fails, the next line begins in its middle, which is all.
            _ = ftruncate(state.descriptor, off_t(state.size))
            return false
        }
        state.size += bytes.count
        return true
    }

    private func read(_ state: borrowing State, from start: Int, count: Int) -> [UInt8] {
        let descriptor = state.descriptor
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let got = pread(
                    descriptor,
                    buffer.baseAddress?.advanced(by: initialized),
                    count - initialized,
                    off_t(start + initialized)
                )
                if got < 0, errno == EINTR { continue }
                if got <= 0 { return }
                initialized += got
            }
        }
    }

    /// Drops the older half, at a line's end.
    private func compact(_ state: inout State) {
        let tailStart = state.size - min(state.size, capacity / 2)
        var tail = read(state, from: tailStart, count: state.size - tailStart)
        if tailStart > 0 {
            let lineEnd = tail.firstIndex(of: 0x0A) ?? tail.endIndex - 1
            tail.removeSubrange(...lineEnd)
        }
        let kept = state.end - Int64(tail.count)
        if kept <= state.acknowledged {
            replace(&state, with: tail, base: kept)
        } else {
            var dropped = kept - state.acknowledged
            if let head = state.headGap, head.offset == state.acknowledged {
                dropped += head.droppedBytes - head.lineBytes
            }
            let gap = LogGap.line(droppedBytes: dropped)
            let head = HeadGap(offset: state.acknowledged, lineBytes: Int64(gap.count), droppedBytes: dropped)
            if state.sentEnd > state.acknowledged { state.uncertainEnd = max(state.sentEnd, state.uncertainEnd ?? 0) }
            replace(&state, with: gap + tail, base: state.acknowledged)
            state.headGap = head
            state.generation += 1
        }
    }

    /// Puts another content into the log's place; when the disk doesn't take it, an empty one.
    private func replace(_ state: inout State, with bytes: [UInt8], base: Int64) {
        let path = LogDirectory.path(directory, jobID, base)
        let temporary = path + ".new"
        let descriptor = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0, writeAll(descriptor, bytes), rename(temporary, path) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            unlink(temporary)
            state.unwritten += Int64(bytes.count)
            _ = ftruncate(state.descriptor, 0)
            state.size = 0
            renumber(&state, base: base)
            return
        }
        close(state.descriptor)
        if path != state.path { unlink(state.path) }
        state.descriptor = descriptor
        state.path = path
        state.base = base
        state.size = bytes.count
    }

    private func renumber(_ state: inout State, base: Int64) {
        let path = LogDirectory.path(directory, jobID, base)
        state.generation += 1
        state.base = base
        // Only a crash would need the name; the worst that a wrong one does is a repeated or missing piece of log.
        if path != state.path, rename(state.path, path) == 0 { state.path = path }
    }
}
