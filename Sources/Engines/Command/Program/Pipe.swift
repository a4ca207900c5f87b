import BackupModel
import CPlatform
import Glibc
import Synchronization

/// A descriptor that is closed once: when it is asked to, or with its last owner.
final class Descriptor: Sendable {
    private let state: Mutex<Int32>

    init(_ number: Int32) { state = Mutex(number) }

    deinit { close() }

    /// The number; negative when it is closed.
    var number: Int32 { state.withLock { $0 } }

    func close() {
        state.withLock { number in
            if number >= 0 { _ = Glibc.close(number) }
            number = -1
        }
    }
}

/// Both ends of a new pipe.
struct Pipe {
    let readEnd: Descriptor
    let writeEnd: Descriptor

    /// - Parameter program: for whom, in the failure's sentence.
    /// - Throws: `JobFailure` when there are no descriptors left.
    init(_ program: String) throws(JobFailure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw CommandFailure.notStarted(program, "no pipe can be made: \(String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        readEnd = Descriptor(ends[0])
        writeEnd = Descriptor(ends[1])
    }
}

/// Milliseconds after which one who waits for a pipe looks whether waiting still makes sense.
private let pipePatience: Int32 = 100

/// Reads what a program writes, on a thread of its own.
actor PipeReader {
    /// As much as a pipe holds.
    private static let partBytes = 64 << 10

    private let executor = ConnectionExecutor(label: "remora.pipe")
    private let descriptor: Descriptor
    private let program: String
    private let isAbandoned: @Sendable () -> Bool

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - descriptor: the pipe's end.
    ///   - program: who writes.
    ///   - isAbandoned: whether whoever still holds the other end is not worth waiting for.
    init(_ descriptor: Descriptor, program: String, isAbandoned: @escaping @Sendable () -> Bool) {
        self.descriptor = descriptor
        self.program = program
        self.isAbandoned = isAbandoned
    }

    /// What comes next; nil at the end.
    func next() throws(JobFailure) -> [UInt8]? {
        while true {
            var waited = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waited, 1, pipePatience)
            if ready == 0, isAbandoned() { return nil }
            if ready <= 0, ready == 0 || errno == EINTR { continue }
            var count = 0
            let part = [UInt8](unsafeUninitializedCapacity: Self.partBytes) { buffer, filled in
                count = read(descriptor.number, buffer.baseAddress, buffer.count)
                filled = max(0, count)
            }
            if count > 0 { return part }
            if count == 0 { return nil }
            guard errno == EINTR || errno == EAGAIN else {
                throw CommandFailure.brokenPipe(program, "output")
            }
        }
    }
}

/// Writes what a program reads, on a thread of its own.
actor PipeWriter {
    private let executor = ConnectionExecutor(label: "remora.pipe")
    private let descriptor: Descriptor
    /// Kept open, so that what the program left unread can be seen; it also keeps a signal from us when it has gone.
    private let readEnd: Descriptor
    private let program: String
    private let hasEnded: @Sendable () -> Bool

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ descriptor: Descriptor, readEnd: Descriptor, program: String, hasEnded: @escaping @Sendable () -> Bool) {
        self.descriptor = descriptor
        self.readEnd = readEnd
        self.program = program
        self.hasEnded = hasEnded
        _ = fcntl(descriptor.number, F_SETFL, O_NONBLOCK)
    }

    /// Writes all of it, waiting for the program to read.
    ///
    /// - Returns: false when the program has ended.
    func write(_ bytes: [UInt8]) throws(JobFailure) -> Bool {
        var done = 0
        while done < bytes.count {
            if hasEnded() { return false }
            var waited = pollfd(fd: descriptor.number, events: Int16(POLLOUT), revents: 0)
            guard poll(&waited, 1, pipePatience) > 0 else { continue }
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor.number, $0.baseAddress.map { $0 + done }, bytes.count - done)
            }
            if count > 0 { done += count }
            guard count > 0 || errno == EAGAIN || errno == EINTR else {
                throw CommandFailure.brokenPipe(program, "input")
            }
        }
        return true
    }

    /// The program sees the end of its input.
    func close() { descriptor.close() }

    /// Whether everything that was written was read.
    var isEmpty: Bool { remora_waiting_bytes(readEnd.number) == 0 }
}
