import Foundation
import Glibc
import Synchronization

/// A temporary directory of its own for one test, with a short path (Unix sockets allow 107 bytes).
public final class TestDirectory: Sendable {
    /// Its absolute path.
    public let path: String
    private let isKept = Mutex(false)
    private let outside = Mutex<[String]>([])

    /// Makes a new directory; `name` helps a person to find it among others.
    public init(_ name: String = "test") throws {
        let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(parent)/remora-\(name)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw TestSupportError("cannot make a directory in \(parent): \(String(cString: strerror(errno)))")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The path of something in it.
    public func appending(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a directory in it and returns its path.
    public func makeDirectory(_ name: String) throws -> String {
        let path = appending(name)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Writes a file in it, readable by its owner alone, and returns its path.
    @discardableResult public func write(_ text: String, to name: String) throws -> String {
        let path = appending(name)
        guard
            FileManager.default.createFile(
                atPath: path,
                contents: Data(text.utf8),
                attributes: [.posixPermissions: 0o600]
            )
        else {
            throw TestSupportError("cannot write \(path)")
        }
        return path
    }

    /// Names a file or directory that has to be elsewhere: it goes when this directory goes.
    public func adopt(_ path: String) {
        outside.withLock { $0.append(path) }
    }

    /// Leaves it in place for a person to look at, and says where it is.
    public func keep() {
        let isNew = isKept.withLock { kept in
            defer { kept = true }
            return !kept
        }
        if isNew { FileHandle.standardError.write(Data("test files kept: \(path)\n".utf8)) }
    }

    /// Removes it and what is in it, unless it is kept or `REMORA_KEEP` is set.
    public func remove() {
        if ProcessInfo.processInfo.environment["REMORA_KEEP"] != nil { keep() }
        guard !isKept.withLock({ $0 }) else { return }
        // A dying server may still be writing; what is left over lies in the temporary folder and harms nobody.
        try? FileManager.default.removeItem(atPath: path)
        // Most of them are gone with the server that made them.
        for path in outside.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) }
    }
}

/// Runs `body` with a directory that goes away when it succeeds, and stays, named on standard error, when it throws.
///
/// `REMORA_KEEP=1` keeps it in any case, which helps where an expectation failed without throwing.
public func withTestDirectory<Result>(
    _ name: String = "test",
    _ body: (TestDirectory) async throws -> Result
) async throws -> Result {
    let directory = try TestDirectory(name)
    do {
        let result = try await body(directory)
        directory.remove()
        return result
    } catch {
        directory.keep()
        throw error
    }
}
