import BackupModel
import Foundation
import Synchronization

/// Directories that a restore writes into.
enum LocalDirectory {
    /// Refuses a directory that holds something, before anything is read from the repository.
    static func demandEmpty(_ path: String) throws {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return }
        guard isDirectory.boolValue else { throw CommandFailure(.refused, "\(path) is not a directory") }
        let content: [String]
        do {
            content = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw CommandFailure(.failed, "can't look into \(path): \(ConnectionOptions.reason(error))")
        }
        guard content.isEmpty else {
            throw CommandFailure(
                .refused,
                "\(path) is not empty: it holds \(Format.count(Int64(content.count), "file"))",
                hint: "choose a directory that is empty or doesn't exist yet"
            )
        }
    }
}

/// Counts bytes as they are written and reports them.
final class ByteCounter: Sendable {
    private let total: Int64
    private let job: LocalJob
    private let done = Mutex<Int64>(0)

    init(total: Int64, _ job: LocalJob) {
        self.total = total
        self.job = job
    }

    func add(_ count: Int) {
        let done = done.withLock { done in
            done += Int64(count)
            return done
        }
        job.report(JobProgress(step: "write files", bytesDone: done, bytesTotal: total))
    }
}
