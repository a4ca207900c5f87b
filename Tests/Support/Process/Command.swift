import Foundation
import Glibc

/// A program that runs to its end: `try await Command(Tools.restic(), ["version"]).run()`.
public struct Command: Sendable {
    /// The program's path.
    public var program: String
    /// Its arguments, without the program's name.
    public var arguments: [String]
    /// Laid over this process's own environment; `nil` takes a variable out.
    public var environment: [String: String?]
    /// Where it runs; `nil` is here.
    public var directory: String?
    /// What it reads from standard input.
    public var input: [UInt8]
    /// It is killed after this.
    public var limit: Duration

    /// Makes a command.
    public init(
        _ program: String,
        _ arguments: [String] = [],
        environment: [String: String?] = [:],
        directory: String? = nil,
        input: [UInt8] = [],
        limit: Duration = .seconds(120)
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.input = input
        self.limit = limit
    }

    /// What a program said, and how it ended.
    public struct Output: Sendable {
        /// How it ended.
        public let status: ExitStatus
        /// What it wrote to standard output.
        public let bytes: [UInt8]
        /// What it wrote to standard error, as text.
        public let errorText: String
        /// What it used.
        public let usage: ResourceUsage?

        /// Standard output as text.
        public var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// Runs it; a failing exit is an answer, not an error.
    ///
    /// - Throws: `TestSupportError` when it can't be started.
    public func output() async throws -> Output {
        let (standardInput, standardOutput, standardError) = (try scratchFile(), try scratchFile(), try scratchFile())
        defer { for file in [standardInput, standardOutput, standardError] { close(file) } }
        try writeAll(input, to: standardInput)
        lseek(standardInput, 0, SEEK_SET)
        let child = try await ChildProcess.start(
            Launch(
                program: program,
                arguments: arguments,
                environment: environment,
                directory: directory,
                standardInput: standardInput,
                standardOutput: standardOutput,
                standardError: standardError
            )
        )
        let status = await withTaskCancellationHandler {
            await child.wait(atMost: limit)
        } onCancel: {
            child.send(signal: SIGKILL)
        }
        return Output(
            status: status,
            bytes: try readAll(standardOutput),
            errorText: String(decoding: try readAll(standardError), as: UTF8.self),
            usage: child.usage
        )
    }

    /// Runs it and demands that it succeeds.
    ///
    /// - Throws: `TestSupportError` with the end of what it said.
    @discardableResult public func run() async throws -> Output {
        let output = try await output()
        guard output.status.succeeded else {
            let said = (output.errorText.isEmpty ? output.text : output.errorText).suffix(2000)
            let name = URL(fileURLWithPath: program).lastPathComponent
            throw TestSupportError("\(name) \(arguments.first ?? "") ended with \(output.status): \(said)")
        }
        return output
    }
}

/// A file without a name: what a child writes can't fill a pipe that nobody reads yet.
private func scratchFile() throws -> Int32 {
    var template = Array("/tmp/remora-output-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    guard file >= 0 else {
        throw TestSupportError("cannot make a file in /tmp: \(String(cString: strerror(errno)))")
    }
    unlink(template)
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    return file
}

private func writeAll(_ bytes: [UInt8], to file: Int32) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        guard count > 0 else {
            throw TestSupportError("cannot write a scratch file: \(String(cString: strerror(errno)))")
        }
        rest = rest.dropFirst(count)
    }
}

private func readAll(_ file: Int32) throws -> [UInt8] {
    let size = Int(lseek(file, 0, SEEK_END))
    var done = 0
    return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        while done < size {
            let part = pread(file, buffer.baseAddress.map { $0 + done }, size - done, off_t(done))
            guard part > 0 else {
                throw TestSupportError("cannot read a scratch file: \(String(cString: strerror(errno)))")
            }
            done += part
        }
        count = done
    }
}
