import BackupModel
import Foundation
import HTTPClient
import Logging
import TestSupport
import Testing

@testable import Coordinator

@Suite struct RefusalTests {
    @Test("who may not, or says nonsense, is told so in JSON")
    func refusals() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                let enrolment = try coordinator.token("enrolment")
                let admin = try coordinator.token("admin")
                func call(_ method: String, _ path: String, _ token: String?, _ body: String) async throws -> String {
                    try refusal(try await coordinator.call(method, path, token: token, body))
                }
                #expect(try await call("POST", AgentProtocol.registerPath, "wrong", "{}") == "401 unauthorized")
                #expect(try await call("POST", AgentProtocol.registerPath, nil, "{}") == "401 unauthorized")
                #expect(try await call("POST", AgentProtocol.registerPath, enrolment, "{") == "400 malformed")
                #expect(try await call("POST", AgentProtocol.checkinPath, "a.b", "{}") == "401 unauthorized")
                #expect(try await call("POST", AgentProtocol.heartbeatPath("0a"), admin, "{}") == "401 unauthorized")
                #expect(try await call("POST", UserAPI.backupsPath, nil, "{}") == "401 unauthorized")
                #expect(try await call("POST", UserAPI.backupsPath, "wrong", "{}") == "401 unauthorized")
                #expect(try await call("GET", UserAPI.statusPath, "wrong", "") == "401 unauthorized")
                let none = #"{"namespace":"shop","configuration":"none"}"#
                #expect(try await call("POST", UserAPI.backupsPath, admin, none) == "404 notFound")
                let nowhere = #"{"namespace":"shop","target":"none","from":"latest"}"#
                #expect(try await call("POST", UserAPI.restoresPath, admin, nowhere) == "422 invalid")
                #expect(try await call("GET", "/api/v1/sessions/shop/none", nil, "") == "404 notFound")
                #expect(try await call("GET", "/api/v1/sessions?limit=x", nil, "") == "422 invalid")
                #expect(try await call("GET", "/nowhere", nil, "") == "404 notFound")
                let big = String(repeating: "x", count: Answers.bodyLimit + 1)
                #expect(try await call("POST", AgentProtocol.registerPath, enrolment, big) == "413 tooLarge")
            }
        }
    }

    @Test("an agent's calls about unknown jobs and broken patches are refused")
    func agentRefusals() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                try await agent.register()
                _ = try await agent.checkin()
                _ = try await coordinator.backup()
                let job = try await agent.awaitJob()
                var unknown = job
                unknown.jobID = "0123456789abcdef"
                #expect(try refusal(try await agent.heartbeat(unknown)) == "404 unknownJob")
                #expect(try refusal(try await agent.log(unknown, at: 0, "x")) == "404 unknownJob")
                #expect(try refusal(try await agent.complete(unknown)) == "404 unknownJob")
                let big = String(repeating: "x", count: Answers.logPatchLimit + 1)
                #expect(try refusal(try await agent.log(job, at: 0, big)) == "413 tooLarge")
                #expect(try refusal(try await agent.log(job, at: 7, "x")) == "416 misplaced")
                let patch = try await coordinator.call(
                    "PATCH",
                    AgentProtocol.logPath(job.jobID),
                    token: agent.token,
                    headers: [("Content-Range", "bytes 0-9/*")],
                    "short"
                )
                #expect(try refusal(patch) == "400 malformed")
                var future = agent
                future.epoch += 1
                #expect(try refusal(try await future.heartbeat(job)) == "503 notLeader")
            }
        }
    }

    @Test("a poll that waits is answered when the coordinator stops, with a time to come back")
    func drain() async throws {
        try await withTestDirectory("coordinator") { directory in
            let poll = try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                try await agent.register()
                let revision = try await agent.checkin().revision
                let before = try await coordinator.lastSeen()
                let waiting = agent
                let poll = Task { try await waiting.checkin(ack: revision, wait: 60) }
                try await eventually("the poll has begun") { try await coordinator.lastSeen() != before }
                return poll
            }
            #expect(try await poll.value.reconnectAfterMs != nil)
        }
    }

    @Test("a second process of a pod has to wait for the first one's poll to end, and no longer")
    func incarnations() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                try await agent.register()
                let revision = try await agent.checkin().revision
                let before = try await coordinator.lastSeen()
                let first = agent
                let poll = Task { try await first.checkin(ack: revision, wait: 60) }
                try await eventually("the poll has begun") { try await coordinator.lastSeen() != before }
                agent.incarnation = "i2"
                let second = agent
                #expect(try refusal(try await second.tryRegister()) == "409 incarnationConflict")
                poll.cancel()
                _ = try? await poll.value  // it was cut off, as a killed process would be
                // Sooner than by the end of the poll, or by what it writes while it waits.
                try await eventually("the second process is let in", within: .seconds(20)) {
                    try await second.tryRegister().status == 200
                }
            }
        }
    }

    @Test("clients that go away at any moment harm nobody, and no poll is counted for ever")
    func vanishing() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                try await agent.register()
                let revision = try await agent.checkin().revision
                let key = try await coordinator.backup()
                let polling = agent
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<120 {
                        group.addTask {
                            let call = Task {
                                switch number % 3 {
                                case 0: _ = try await polling.checkin(ack: revision, wait: 60)
                                case 1: _ = try await coordinator.call("GET", UserAPI.logsPath(key) + "?follow=true")
                                default: _ = try await coordinator.call("GET", UserAPI.logsPath(key))
                                }
                            }
                            try await Task.sleep(for: .milliseconds(Int.random(in: 0...60)))
                            call.cancel()
                            _ = try? await call.value  // most are cut off: that is what is tested
                        }
                    }
                    try await group.waitForAll()
                }
                agent.incarnation = "i2"
                let next = agent
                // Sooner than by their time, or by what they write while they wait.
                try await eventually("all polls have ended", within: .seconds(20)) {
                    try await next.tryRegister().status == 200
                }
            }
        }
    }

    @Test("followers of a log get lines as they come, and the end with the session")
    func followLogs() async throws {
        try await withTestDirectory("coordinator") { directory in
            try await RunningCoordinator.run(directory) { coordinator in
                var agent = ScriptedAgent(coordinator)
                try await agent.register()
                _ = try await agent.checkin()
                let key = try await coordinator.backup()
                let job = try await agent.awaitJob()
                let stream = try await coordinator.http.stream(
                    HTTPRequest(url: coordinator.url + UserAPI.logsPath(key) + "?follow=true&level=info")
                )
                let lines = ["debug", "info", "error"].map {
                    #"{"t":1,"level":"\#($0)","component":"dump","message":"this is \#($0)"}"# + "\n"
                }.joined()
                #expect(try await agent.log(job, at: 0, lines).status == 202)
                var text = ""
                for try await part in stream.body {
                    text += String(decoding: part, as: UTF8.self)
                    guard text.contains("this is error") else { continue }
                    let outcome = #"{"failure":{"code":"x","message":"y","isRetryable":false}}"#
                    if try await coordinator.session(key).phase == .running {
                        #expect(
                            try await agent.complete(job, outcome: outcome, logBytes: lines.utf8.count).status == 200
                        )
                    }
                }
                #expect(text.contains("this is info"))
                #expect(!text.contains("this is debug"))
                #expect(try await coordinator.session(key).phase == .failed)
            }
        }
    }

    @Test(
        "addresses that only this machine reaches are known",
        arguments: [
            ("127.0.0.1:1", true), ("localhost:80", true), ("[::1]:443", true), ("127.8.9.10:1", true),
            ("0.0.0.0:1", false), (":1", false), ("127.0.0.1.example.org:1", false), ("[::]:1", false),
            ("10.0.0.1:1", false),
        ]
    )
    func loopback(text: String, isLoopback: Bool) throws {
        #expect(try #require(ListenAddress(text)).isLoopback == isLoopback)
    }

    @Test("without TLS only loopback is served")
    func plainHTTP() throws {
        let configuration = CoordinatorConfiguration(
            objectsDirectory: "/nowhere",
            secretsDirectory: "/nowhere",
            stateDirectory: "/nowhere",
            listen: try #require(ListenAddress("0.0.0.0:7480")),
            enrolmentTokenFile: "/nowhere/token",
            version: "test"
        )
        let error = #expect(throws: CoordinatorError.self) {
            try CoordinatorService(configuration, logger: .init(label: "test"))
        }
        #expect(error?.kind == .configuration)
        #expect(error?.description.contains("give --tls-certificate and --tls-key") == true)
    }
}
