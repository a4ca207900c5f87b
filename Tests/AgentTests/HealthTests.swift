import BackupModel
import Engines
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Agent

@Suite("An agent tells how it is")
struct HealthTests {
    @Test(
        "a report survives the way through a socket, whatever is in its sentence",
        arguments: HealthReport.State.allCases
    )
    func wire(_ state: HealthReport.State) {
        let report = HealthReport(state, "the database doesn't answer: \"10.0.0.1:27017\" – ünreachable")
        #expect(HealthReport(bytes: report.bytes) == report)
        let lines = HealthReport(state, "one\ntwo\r\nthree")
        #expect(HealthReport(bytes: lines.bytes)?.sentence == "one; two; three")
        #expect(HealthReport(state, String(repeating: "x", count: 1 << 20)).bytes.count == HealthReport.longest)
        #expect(HealthReport(bytes: Array("HTTP/1.1 400".utf8)) == nil)
        #expect(HealthReport(bytes: []) == nil)
    }

    @Test("who asks gets the last report, also where the state directory's path is too long for a socket's address")
    func answer() async throws {
        try await withTestDirectory("health") { directory in
            let state = directory.appending(String(repeating: "long", count: 40))
            let responder = try HealthResponder(stateDirectory: state)
            #expect(try HealthQuestion.ask(stateDirectory: state).state == .healthy)
            let report = HealthReport(.troubled, "something is wrong")
            responder.update(report)
            for _ in 0..<50 { #expect(try HealthQuestion.ask(stateDirectory: state) == report) }
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(state)/health.sock")
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test("an agent that hasn't moved for a minute is stuck")
    func stuck() async throws {
        try await withTestDirectory("health") { directory in
            let responder = try HealthResponder(stateDirectory: directory.path)
            responder.update(HealthReport(.healthy, "the agent works"))
            #expect(responder.current(at: .now + .seconds(30)).state == .healthy)
            #expect(responder.current(at: .now + .seconds(90)).state == .stuck)
        }
    }

    @Test("nobody there, and a socket whose process is gone, are one clear sentence; the next agent takes its place")
    func nobody() async throws {
        try await withTestDirectory("health") { directory in
            let missing = #expect(throws: AgentError.self) {
                try HealthQuestion.ask(stateDirectory: directory.appending("nowhere"))
            }
            #expect(missing?.message.contains("can't open the state directory") == true)
            let nobody = #expect(throws: AgentError.self) { try HealthQuestion.ask(stateDirectory: directory.path) }
            #expect(nobody?.message.contains("no agent runs with this state directory") == true)
            do { _ = try HealthResponder(stateDirectory: directory.path) }
            try await eventually("the socket is left over") {
                (try? HealthQuestion.ask(stateDirectory: directory.path)) == nil  // it is still being closed
            }
            #expect(FileManager.default.fileExists(atPath: directory.appending("health.sock")))
            let next = try HealthResponder(stateDirectory: directory.path)
            #expect(try HealthQuestion.ask(stateDirectory: directory.path).state == .healthy)
            let second = #expect(throws: AgentError.self) { try HealthResponder(stateDirectory: directory.path) }
            #expect(second?.message.contains("every agent needs a state directory of its own") == true)
            withExtendedLifetime(next) {}
        }
    }

    @Test("an agent that hangs costs a probe no more than its patience")
    func hanging() async throws {
        try await withTestDirectory("health") { directory in
            let socket = try HealthSocket(stateDirectory: directory.path)
            let error = #expect(throws: AgentError.self) {
                try HealthQuestion.ask(stateDirectory: directory.path, patience: .milliseconds(50))
            }
            #expect(error?.message.contains("it hangs") == true)
            socket.answer(HealthReport(.healthy, ""))
        }
    }

    @Test("the sentence says what a person wants to know of the agent")
    func sentence() {
        #expect(
            HealthSentence.make(member: nil, isRegistered: false, jobs: [])
                == "the agent works; the database was not looked at yet; no coordinator knows it yet: its log says why"
        )
        var member = MemberStatus(isReachable: true)
        member.role = .secondary
        member.group = "rs0"
        #expect(
            HealthSentence.make(member: member, isRegistered: true, jobs: ["backup-1"])
                == "the agent works; the database answers (secondary of rs0); the coordinator knows it; running: backup-1"
        )
        let unreachable = MemberStatus(isReachable: false, problems: ["connection refused"])
        #expect(
            HealthSentence.make(member: unreachable, isRegistered: true, jobs: [])
                == "the agent works; the database doesn't answer: connection refused; the coordinator knows it"
        )
    }

    @Test("a running agent says how it is, without the secrets that it knows")
    func service() async throws {
        try await AgentHarness.with { harness in
            let engine = FakeEngine()
            engine.status.withLock { $0 = MemberStatus(isReachable: false, problems: ["login as hunter22 failed"]) }
            let redactor = Redactor()
            redactor.register("hunter22")
            let heard = Watched<[HealthReport]>([])
            try await harness.runningAgent(
                engine,
                redactor: redactor,
                onHealth: { report in heard.update { $0.append(report) } }
            ) {
                let report = try await heard.first { !$0.isEmpty }
                #expect(report.allSatisfy { $0.state == .healthy && !$0.sentence.contains("hunter22") })
            }
        }
    }
}
