import BackupModel
import TestSupport
import Testing

@testable import Agent

@Suite("What answers mean")
struct AnswerTests {
    private func kind(_ status: Int, _ body: String) -> CoordinatorCallError.Kind? {
        do {
            _ = try CoordinatorAnswer.decode(LogResponse.self, status: status, body: Array(body.utf8), call: "/x")
            return nil
        } catch {
            return error.kind
        }
    }

    private func error(_ code: String, retryable: Bool = false, extra: String = "") -> String {
        #"{"error":{"code":"\#(code)","message":"m","retryable":\#(retryable)\#(extra)}}"#
    }

    @Test("statuses and codes are told apart")
    func kinds() {
        #expect(kind(200, "\n\n {\"nextOffset\":1,\"updateIntervalMs\":2,\"new\":3}") == nil)
        #expect(kind(401, error("unauthorized")) == .unauthorized)
        #expect(kind(409, error("fenced")) == .superseded)
        #expect(kind(410, error("over")) == .superseded)
        #expect(kind(404, error("unknownJob")) == .superseded)
        #expect(kind(409, error("alreadyCompleted")) == .alreadyCompleted)
        #expect(kind(416, error("offset", extra: #","nextOffset":77"#)) == .offset(77))
        #expect(kind(429, error("tooMany", extra: #","retryAfterMs":1500"#)) == .retryable(after: .milliseconds(1500)))
        #expect(kind(503, error("draining")) == .retryable(after: .zero))
        #expect(kind(409, error("incarnationConflict", retryable: true)) == .retryable(after: .zero))
        #expect(kind(400, error("invalid")) == .rejected)
        #expect(kind(426, error("tooOld")) == .rejected)
    }

    @Test(
        "a body that isn't ours is tried again whatever its status",
        arguments: [200, 204, 301, 400, 401, 404, 410, 502]
    )
    func strangers(status: Int) {
        #expect(kind(status, "<html>") == .retryable(after: .zero))
        #expect(kind(status, "") == .retryable(after: .zero))
        #expect(kind(status, "{}") == .retryable(after: .zero))
    }

    @Test(
        "plain http is refused but on loopback",
        arguments: [
            ("http://127.0.0.1:7480", true), ("http://localhost", true), ("http://[::1]:7480/x", true),
            ("https://coordinator.remora:7480", true), ("http://coordinator:7480", false), ("http://10.0.0.1", false),
            ("http://127.0.0.1@evil.example", false), ("https://", false), ("coordinator:7480", false), ("", false),
        ]
    )
    func urls(url: String, isGood: Bool) {
        if isGood {
            #expect(throws: Never.self) { try AgentConfiguration.validate(coordinatorURL: url) }
        } else {
            #expect(throws: AgentError.self) { try AgentConfiguration.validate(coordinatorURL: url) }
        }
    }
}
