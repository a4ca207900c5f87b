import BackupModel
import Engines
import Foundation
import HTTPClient
import Logging
import ObjectStorage
import Repository
import TestSupport
import Testing

@testable import Agent

@Suite("A job's log")
struct LogTests {
    /// What a coordinator has after it was sent everything.
    private struct Copy {
        var bytes: [UInt8] = []

        mutating func take(_ log: JobLogFile, limit: Int = 64) throws {
            while let piece = log.nextPiece(limit: limit) {
                guard piece.offset == bytes.count else {
                    log.moveTo(Int64(bytes.count))
                    guard let again = log.nextPiece(limit: limit), again.offset == bytes.count else {
                        throw TestSupportError("the log can't go on at \(bytes.count)")
                    }
                    continue
                }
                bytes += piece.bytes
                log.acknowledge(piece, next: Int64(bytes.count))
            }
        }

        var lines: [String] { String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init) }
    }

    private func line(_ text: String) -> [UInt8] { Array("\(text)\n".utf8) }

    @Test("is sent in whole lines, in order, and is known to be delivered")
    func order() async throws {
        try await withTestDirectory { directory in
            let log = try JobLogFile(directory: directory.path, jobID: "a")
            for number in 0..<50 { log.append(line("line \(number)")) }
            let first = try #require(log.nextPiece(limit: 20))
            #expect(String(decoding: first.bytes, as: UTF8.self) == "line 0\nline 1\n")
            var copy = Copy()
            try copy.take(log)
            #expect(copy.lines == (0..<50).map { "line \($0)" })
            #expect(log.isDelivered)
            #expect(log.end == Int64(copy.bytes.count))
        }
    }

    @Test("goes on after a restart where the coordinator's copy ends")
    func restart() async throws {
        try await withTestDirectory { directory in
            var copy = Copy()
            do {
                let log = try JobLogFile(directory: directory.path, jobID: "a")
                log.append(line("one"))
                try copy.take(log)
                log.append(line("two"))
            }
            let log = try JobLogFile(directory: directory.path, jobID: "a")
            log.append(line("three"))
            try copy.take(log)
            #expect(copy.lines == ["one", "two", "three"])
        }
    }

    @Test("drops what was sent without a word when it is full")
    func compactSent() async throws {
        try await withTestDirectory { directory in
            let log = try JobLogFile(directory: directory.path, jobID: "a", capacity: 200)
            var copy = Copy()
            for number in 0..<100 {
                log.append(line("line \(number)"))
                try copy.take(log)
            }
            #expect(copy.lines == (0..<100).map { "line \($0)" })
            let size = try FileManager.default.contentsOfDirectory(atPath: directory.path).map { name in
                try FileManager.default.attributesOfItem(atPath: directory.appending(name))[.size] as? Int ?? 0
            }.reduce(0, +)
            #expect(size <= 220)
        }
    }

    @Test("drops the oldest unsent lines when it is full, and says how many bytes")
    func overflow() async throws {
        try await withTestDirectory { directory in
            let log = try JobLogFile(directory: directory.path, jobID: "a", capacity: 2000)
            var copy = Copy()
            log.append(line("first"))
            try copy.take(log)
            let all = (0..<1000).map { "line \($0)" }
            for text in all { log.append(line(text)) }
            try copy.take(log)
            #expect(copy.lines.first == "first")
            #expect(copy.lines.last == "line 999")
            let gap = try WireJSON.decode(LogGap.self, from: Array(copy.lines[1].utf8))
            let kept = copy.lines.filter { $0.hasPrefix("line ") }
            #expect(kept == Array(all.suffix(kept.count)))
            #expect(kept.count > 50)
            // Later gaps swallow earlier ones: the number is exactly what is missing of the lines.
            let missing = all.dropLast(kept.count).reduce(0) { $0 + $1.utf8.count + 1 }
            #expect(gap.gap.bytes == Int64(missing))
            #expect(try WireJSON.decode(LogLine.self, from: Array(copy.lines[1].utf8)).level == "warning")
            #expect(log.end == Int64(copy.bytes.count))
        }
    }

    @Test(
        "a piece that was dropped while it was under way, but arrived, shifts what is left behind it",
        arguments: [
            "answered", "reply lost",
        ]
    )
    func overflowUnderWay(way: String) async throws {
        try await withTestDirectory { directory in
            let log = try JobLogFile(directory: directory.path, jobID: "a", capacity: 1000)
            var copy = Copy()
            for number in 0..<20 { log.append(line("early \(number)")) }
            let piece = try #require(log.nextPiece(limit: 100))
            for number in 0..<200 { log.append(line("late \(number)")) }
            copy.bytes += piece.bytes
            if way == "answered" { log.acknowledge(piece, next: Int64(copy.bytes.count)) }
            try copy.take(log)
            #expect(copy.lines.first == "early 0")
            #expect(copy.lines.last == "late 199")
            let odd = copy.lines.filter { !$0.hasPrefix("early ") && !$0.hasPrefix("late ") }
            #expect(odd.allSatisfy { $0.contains("\"gap\"") })
            #expect(odd.count == 1)
        }
    }

    @Test("a coordinator that lost its copy gets what is still here, after a gap")
    func coordinatorLost() async throws {
        try await withTestDirectory { directory in
            let log = try JobLogFile(directory: directory.path, jobID: "a", capacity: 300)
            var copy = Copy()
            for number in 0..<100 {
                log.append(line("line \(number)"))
                try copy.take(log)
            }
            var fresh = Copy()
            log.append(line("the last"))
            try fresh.take(log)
            #expect(fresh.lines.first?.contains("\"gap\"") == true)
            #expect(fresh.lines.last == "the last")
            #expect(log.end == Int64(fresh.bytes.count))
        }
    }

    @Test("the coordinator's offset is followed also when it has more than was left here")
    func coordinatorHasMore() async throws {
        try await withTestDirectory { directory in
            let log = try JobLogFile(directory: directory.path, jobID: "a")
            log.append(line("one"))
            log.moveTo(1000)
            #expect(log.isDelivered)
            log.append(line("two"))
            let piece = try #require(log.nextPiece(limit: 100))
            #expect(piece.offset == 1000)
            #expect(String(decoding: piece.bytes, as: UTF8.self) == "two\n")
        }
    }

    @Test("old logs are removed, those of jobs under way never")
    func prune() async throws {
        try await withTestDirectory { directory in
            for number in 0..<5 { try directory.write("x", to: "job\(number).000000000000.ndjson") }
            LogDirectory.prune(directory.path, keeping: ["job0"], keptLogs: 2)
            let left = LogDirectory.files(in: directory.path).map(\.jobID)
            #expect(left.count == 3)
            #expect(left.contains("job0"))
        }
    }

    @Test("secrets go by value, also as they stand in a URL; short ones only where they stand alone")
    func redaction() {
        let redactor = Redactor()
        redactor.register("p@ss w/rd")
        redactor.register("abc")
        redactor.register("")
        redactor.register("p@ss w/rd and more")
        #expect(redactor.redact("with p@ss w/rd.") == "with \(Redactor.mark).")
        #expect(redactor.redact("mongodb://u:p%40ss%20w%2Frd@h") == "mongodb://u:\(Redactor.mark)@h")
        #expect(redactor.redact("p@ss w/rd and more") == Redactor.mark)
        #expect(redactor.redact("abc abcd xabc 'abc'") == "\(Redactor.mark) abcd xabc '\(Redactor.mark)'")
        #expect(redactor.redact("nothing") == "nothing")
    }

    @Test("the agent's own lines are NDJSON without secrets, and a stuck reader never holds anybody up")
    func console() async throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let console = LineWriter(descriptor: ends[1], capacity: 4096)
        let redactor = Redactor()
        redactor.register("very-secret")
        var log = Logger(label: "agent") { label in
            AgentLogHandler(component: label, redactor: redactor, logLevel: .info, console: console)
        }
        log[metadataKey: "key"] = "very-secret"
        log.info("hello")
        console.flush()
        // A pipe holds 64 KiB: far more is written, nobody reads.
        for number in 0..<20_000 { log.warning("line \(number)") }
        let reader = FileHandle(fileDescriptor: ends[0])
        let output = Task.detached { () -> [String] in
            var text = ""
            while !text.contains("line 19999 ") {
                let data = reader.availableData
                if data.isEmpty { break }
                text += String(decoding: data, as: UTF8.self)
            }
            return text.split(separator: "\n").map(String.init)
        }
        let lines = await output.value
        let first = try WireJSON.decode(LogLine.self, from: Array((lines.first ?? "").utf8))
        #expect(first.message == "hello key=\(Redactor.mark)")
        #expect(lines.contains { $0.contains("\"gap\"") })
        #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        #expect(lines.count < 20_000)
    }

    @Test(
        "errors become failures with stable codes",
        arguments: [
            (RepositoryError(.wrongPassword, "x") as any Error, "wrongPassword", false),
            (RepositoryError(.storage, "x", cause: ObjectStorageError(.noSpace, "y")), "storageFull", false),
            (RepositoryError(.storage, "x", cause: ObjectStorageError(.unavailable, "y")), "storageUnavailable", true),
            (RepositoryError(.damaged, "x"), "repositoryDamaged", false),
            (ObjectStorageError(.accessDenied, "x"), "storageAccessDenied", false),
            (JobFailure(code: "missingPrivilege", message: "x", isRetryable: false), "missingPrivilege", false),
            (AgentError(.unsupported, "x"), "unsupported", false),
            (HTTPClientError(.tls, "x"), "connection", false),
        ]
    )
    func failures(error: any Error, code: String, isRetryable: Bool) {
        let failure = JobFailure.describing(error, redactor: Redactor())
        #expect(failure.code == code)
        #expect(failure.isRetryable == isRetryable)
    }
}
