import BackupModel

@testable import RemoraCLI

/// Answers of a coordinator.
enum Samples {
    static let key = ResourceKey(namespace: "demo", name: "shop-1")

    static func moment(_ text: String) -> Moment { Moment("2026-08-22T\(text)Z") ?? Moment(unixMs: 0) }

    static func session(_ phase: SessionPhase, kind: SessionView.Kind = .backup) -> SessionView {
        var session = SessionView(
            kind: kind,
            namespace: "demo",
            name: "shop-1",
            target: "shop",
            repository: "demo/main",
            phase: phase,
            startTime: moment("09:59:00")
        )
        session.durationSeconds = 60
        var host = HostView(
            pod: "mongo-1",
            host: "127.0.0.1:27017",
            group: "rs0",
            jobID: "j1",
            attempt: 1,
            fence: 1,
            phase: .running,
            startTime: moment("09:59:01")
        )
        host.progress = JobProgress(
            step: "dump shop.orders",
            bytesDone: 512 << 20,
            bytesTotal: 2 << 30,
            bytesUploaded: 0,
            objects: 1000
        )
        session.hosts = [host]
        return session
    }

    static func failed(_ reason: String, _ message: String, kind: SessionView.Kind = .backup) -> SessionView {
        var session = session(.failed, kind: kind)
        session.reason = reason
        session.message = message
        session.endTime = moment("10:00:00")
        session.hosts[0].phase = .failed
        session.hosts[0].failure = JobFailure(
            code: reason.prefix(1).lowercased() + reason.dropFirst(),
            message: message,
            isRetryable: false
        )
        return session
    }

    static func target(_ namespace: String, _ name: String, configurations: [String]) -> TargetView {
        var target = TargetView(namespace: namespace, name: name, engine: "mongodb")
        target.configurations = configurations
        return target
    }

    static func status(_ targets: [TargetView]) -> StatusView {
        StatusView(
            version: "0.1.0",
            epoch: 3,
            startedAt: moment("08:00:00"),
            targets: targets,
            running: [],
            problems: []
        )
    }

    static func json(_ value: some Encodable) throws -> String {
        String(decoding: try WireJSON.encode(value), as: UTF8.self)
    }

    static func error(_ code: String, _ message: String) throws -> String {
        try json(ErrorResponse(ErrorResponse.Body(code: code, message: message, retryable: false)))
    }

    static func logLine(_ message: String, pod: String = "mongo-1", level: String = "info") throws -> String {
        let line = LogLine(t: moment("09:59:30").unixMs, level: level, component: "dump", message: message)
        return try json(PodLogLine(pod: pod, line: line)) + "\n"
    }
}
