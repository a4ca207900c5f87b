import BackupModel
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite("The journal")
struct JournalTests {
    private static func job(_ id: String) -> DesiredJob {
        DesiredJob(
            jobID: id,
            fence: 3,
            desired: .run,
            session: "shop/s",
            work: .release(ReleaseSpec(host: "h:1", ownerJobID: "o")),
            deadlineSeconds: 60
        )
    }

    private struct Crash: Error {}

    @Test("begins a job once, also after a restart")
    func once() async throws {
        try await withTestDirectory { directory in
            let journal = try await Journal.open(directory: directory.path).journal
            #expect(try await journal.begin(Self.job("a"), unixMs: 1))
            #expect(try await !journal.begin(Self.job("a"), unixMs: 1))
            let again = try await Journal.open(directory: directory.path).journal
            #expect(try await !again.begin(Self.job("a"), unixMs: 1))
            #expect(again.watched.value.reports == [JobReport(jobID: "a", state: .lost, fence: 3)])
        }
    }

    @Test("a crash at any step of any write leaves the state before or after it", arguments: DurableFile.Step.allCases)
    func crashAtEveryWrite(step: DurableFile.Step) async throws {
        // Writes: 0 opening, 1 begin, 2 finish, 3 acknowledge.
        for write in 0..<4 {
            try await withTestDirectory { directory in
                let writes = Mutex(-1)
                let crash: @Sendable (DurableFile.Step) throws -> Void = { reached in
                    let number = writes.withLock { writes in
                        if reached == .create { writes += 1 }
                        return writes
                    }
                    if number == write, reached == step { throw Crash() }
                }
                var steps = 0
                do {
                    let journal = try await Journal.open(directory: directory.path, beforeStep: crash).journal
                    steps = 1
                    _ = try await journal.begin(Self.job("a"), unixMs: 1)
                    steps = 2
                    try await journal.finish("a", JobOutcome())
                    steps = 3
                    try await journal.acknowledge("a")
                    steps = 4
                } catch is Crash {
                    // The process is dead: what counts is what the next one finds.
                }
                #expect(steps == write)
                let (next, problem) = try await Journal.open(directory: directory.path)
                #expect(problem == nil)
                let found = next.watched.value.entry("a")
                // The rename is what makes it: from then on the new state is found.
                let isAfter = step == .syncDirectory
                switch (write, isAfter) {
                case (0, _), (1, false): #expect(found == nil)
                case (1, true), (2, false): #expect(found?.isLost == true && found?.state == .finished)
                case (2, true), (3, false): #expect(found?.isLost == false && found?.state == .finished)
                default: #expect(found?.state == .acknowledged)
                }
            }
        }
    }

    @Test("a job is not begun when it can't be noted")
    func fullDisk() async throws {
        try await withTestDirectory { directory in
            let isFull = Mutex(false)
            let journal = try await Journal.open(
                directory: directory.path,
                beforeStep: { step in if step == .write, isFull.withLock({ $0 }) { throw Crash() } }
            ).journal
            isFull.withLock { $0 = true }
            await #expect(throws: Crash.self) { try await journal.begin(Self.job("a"), unixMs: 1) }
            #expect(journal.watched.value.entries.isEmpty)
            isFull.withLock { $0 = false }
            #expect(try await journal.begin(Self.job("a"), unixMs: 1))
            isFull.withLock { $0 = true }
            await #expect(throws: Crash.self) { try await journal.finish("a", JobOutcome()) }
            #expect(journal.watched.value.undelivered.count == 1)
        }
    }

    @Test("an unreadable journal is put aside, and jobs that left logs are still known")
    func unreadable() async throws {
        try await withTestDirectory { directory in
            try directory.write("{\"entries\": [", to: "journal.json")
            let (journal, problem) = try await Journal.open(directory: directory.path, knownJobIDs: ["a"])
            #expect(problem?.contains("journal.unreadable.json") == true)
            #expect(try await !journal.begin(Self.job("a"), unixMs: 1))
            #expect(FileManager.default.fileExists(atPath: directory.appending("journal.unreadable.json")))
        }
    }

    @Test("forgets the oldest acknowledged jobs, never one that isn't")
    func forgets() {
        var content = JournalContent()
        _ = content.begin(Self.job("kept"), unixMs: 0)
        for number in 0..<(JournalContent.rememberedJobs + 10) {
            _ = content.begin(Self.job("\(number)"), unixMs: 0)
            content.finish("\(number)", JobOutcome())
            content.acknowledge("\(number)")
        }
        #expect(content.entries.count == JournalContent.rememberedJobs + 1)
        #expect(content.entry("kept")?.state == .running)
        #expect(content.entry("9") == nil)
        #expect(content.entry("10") != nil)
    }

    @Test("decides what comes next from document and journal alone")
    func decides() {
        var journal = JournalContent()
        _ = journal.begin(Self.job("known"), unixMs: 0)
        var cancelled = Self.job("cancelled")
        cancelled.desired = .cancel
        var aborted = Self.job("aborted")
        aborted.desired = .abort
        let fresh = Self.job("fresh")
        #expect(JobDecision.next(desired: [Self.job("known"), aborted], journal: journal) == .wait)
        #expect(JobDecision.next(desired: [Self.job("known"), fresh], journal: journal) == .start(fresh))
        #expect(JobDecision.next(desired: [cancelled, fresh], journal: journal) == .reportCancelled(cancelled))
        #expect(JobDecision.stopReason(for: "fresh", desired: [fresh]) == nil)
        #expect(JobDecision.stopReason(for: "cancelled", desired: [cancelled]) == .cancelled)
        #expect(JobDecision.stopReason(for: "aborted", desired: [aborted]) == .aborted)
        #expect(JobDecision.stopReason(for: "gone", desired: [fresh]) == .aborted)
    }
}
