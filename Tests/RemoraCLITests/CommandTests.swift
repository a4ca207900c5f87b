import BackupModel
import Foundation
import TestSupport
import Testing

@testable import RemoraCLI

@Suite("Commands against a scripted coordinator", .timeLimit(.minutes(2)))
struct CommandTests {
    private let status = Samples.status([Samples.target("demo", "shop", configurations: ["nightly"])])

    private func run(
        _ arguments: String...,
        answering answer: @escaping @Sendable (RawRequest, Int) -> ScriptedServer.Answer
    ) async throws -> (screen: Screen, ended: Ending, requests: [RawRequest]) {
        let server = try ScriptedServer(answer)
        let screen = Screen()
        let ended = await screen.run(arguments, environment: ["REMORA_COORDINATOR": server.url])
        return (screen, ended, server.requests)
    }

    @Test("backup returns at once with the session's name and what to do next")
    func backup() async throws {
        let (status, session) = (try Samples.json(status), try Samples.json(Samples.session(.pending)))
        let result = try await run("backup", "shop", "--consistency", "oplog") { request, _ in
            request.method == "GET" ? .ok(status) : .init(status: 201, body: session)
        }
        #expect(result.ended == .succeeded)
        #expect(result.screen.output.hasPrefix("backup demo/shop-1: Pending\n"))
        #expect(result.screen.output.contains("remora logs demo/shop-1 -f"))
        let sent = try WireJSON.decode(BackupRequest.self, from: result.requests[1].body)
        #expect(result.requests[1].path == UserAPI.backupsPath)
        #expect(sent.namespace == "demo" && sent.configuration == "nightly" && sent.consistency == .oplog)
        #expect(sent.requestedBy?.contains("@") == true)
    }

    @Test("--wait -o json prints the final session and ends as it did, over a coordinator that is away for a moment")
    func waiting() async throws {
        let status = try Samples.json(status)
        let running = try Samples.json(Samples.session(.running))
        let failed = try Samples.json(Samples.failed("StorageFull", "the disk is full"))
        let result = try await run("backup", "nightly", "--wait", "-o", "json") { request, before in
            switch before {
            case 0: .ok(status)
            case 1: .init(status: 201, body: running)
            case 2: .ok(running)
            case 3: .init(status: 503, body: "")
            case 4: .init(body: running, breaksAfter: 5)
            default: .ok(failed)
            }
        }
        #expect(result.ended == .storage)
        let printed = try WireJSON.decode(SessionView.self, from: Array(result.screen.output.utf8))
        #expect(printed.phase == .failed)
        #expect(
            result.screen.error
                == "remora: backup demo/shop-1 failed after 1 min: the disk is full\n  hint: remora describe shop-1 -n demo\n"
        )
    }

    @Test("a restore sends what was asked for, and its refusal tells about --drop")
    func restore() async throws {
        let status = try Samples.json(status)
        let failed = try Samples.json(Samples.failed("TargetNotEmpty", "2 collections are there", kind: .restore))
        let result = try await run(
            "restore",
            "shop",
            "--from",
            "latest",
            "--include",
            "shop.*",
            "--rename",
            "shop.*=old.*",
            "--no-users",
            "--wait"
        ) { _, before in before == 0 ? .ok(status) : .ok(failed) }
        #expect(result.ended == .refused)
        #expect(result.screen.error.contains("--drop"))
        let sent = try WireJSON.decode(RestoreRequest.self, from: result.requests[1].body)
        #expect(sent.target == "shop" && sent.from == "latest" && sent.conflict == .failIfNotEmpty)
        #expect(sent.include == ["shop.*"] && sent.usersAndRoles == false)
        #expect(sent.renames == [NamespaceSelection.Rename(from: "shop.*", to: "old.*")])
    }

    @Test("a log is followed over a broken connection, every line once")
    func followedLog() async throws {
        let (status, running) = (try Samples.json(status), try Samples.json(Samples.session(.running)))
        let over = try Samples.json(Samples.session(.succeeded))
        let (one, two, three) = (
            try Samples.logLine("one"), try Samples.logLine("two \u{1b}[0m"), try Samples.logLine("three")
        )
        let result = try await run("logs", "shop-1", "-f") { request, before in
            switch before {
            case 0: .ok(status)
            case 1: .ok(running)
            case 2: .init(body: one + two + three, breaksAfter: (one + two).utf8.count)
            case 3: .ok("\n" + one + two + three)
            default: .ok(over)
            }
        }
        #expect(result.ended == .succeeded)
        let lines = result.screen.output.split(separator: "\n")
        #expect(lines.map { $0.split(separator: "  ").last.map(String.init) } == ["one", "two \\u{1b}[0m", "three"])
        #expect(lines[0] == "11:59:30.000 mongo-1 info    dump  one")
        #expect(result.requests[2].path == "/api/v1/sessions/demo/shop-1/logs?level=info&follow=true")
    }

    @Test(
        "every refusal of the coordinator has its exit code and hint",
        arguments: [
            (401, "unauthorized", Ending.unauthorized, "--token-file"), (404, "notFound", .notFound, ""),
            (409, "finished", .refused, ""), (422, "invalid", .refused, ""), (502, "storageUnavailable", .storage, ""),
            (503, "draining", .unreachable, "try again"), (500, "internal", .failed, ""),
        ]
    )
    func refusals(_ status: Int, _ code: String, _ expected: Ending, _ hint: String) async throws {
        let body = try Samples.error(code, "the reason")
        let result = try await run("sessions") { _, _ in .init(status: status, body: body) }
        #expect(result.ended == expected)
        #expect(result.screen.error.hasPrefix("remora: the reason\n"))
        #expect(hint.isEmpty ? !result.screen.error.contains("hint") : result.screen.error.contains(hint))
        #expect(result.screen.output.isEmpty)
    }

    @Test("something else on the coordinator's port is told from a coordinator")
    func notACoordinator() async throws {
        let result = try await run("status") { _, _ in .ok("<html>hello</html>") }
        #expect(result.ended == .unreachable)
        #expect(result.screen.error.contains("is no coordinator"))
        let missing = try await run("status") { _, _ in .init(status: 404, body: "nope") }
        #expect(missing.ended == .unreachable)
    }

    @Test("a coordinator that isn't there is said in one sentence with a hint; version answers all the same")
    func unreachable() async throws {
        let environment = ["REMORA_COORDINATOR": "http://127.0.0.1:\(try Ports.free())"]
        let screen = Screen()
        #expect(await screen.run(["status"], environment: environment) == .unreachable)
        let lines = screen.error.split(separator: "\n")
        #expect(lines.count == 2 && lines[1].hasPrefix("  hint: "))
        let version = Screen()
        #expect(await version.run(["version", "-o", "json"], environment: environment) == .succeeded)
        let answer = try WireJSON.decode(VersionCommand.Answer.self, from: Array(version.output.utf8))
        #expect(answer.client == RemoraVersion.current && answer.coordinator == nil)
    }

    @Test("the token goes into the header of every call, and never unencrypted over a network")
    func token() async throws {
        try await withTestDirectory("cli") { directory in
            let file = try directory.write("secret-token-0123456789\n", to: "token")
            let status = try Samples.json(status)
            let server = try ScriptedServer { _, _ in .ok(status) }
            let screen = Screen()
            let ended = await screen.run(["status", "--coordinator", server.url, "--token-file", file])
            #expect(ended == .succeeded)
            #expect(server.requests[0].field("authorization") == "Bearer secret-token-0123456789")
            let refused = Screen()
            let arguments = ["status", "--coordinator", "http://192.0.2.1:7480", "--token-file", file]
            #expect(await refused.run(arguments) == .usage)
            #expect(!refused.error.contains("secret-token"))
        }
    }

    @Test(
        "a command line that makes no sense is a usage error and asks nobody",
        arguments: [
            ["backup"], ["nonsense"], ["restore", "shop"], ["restore", "shop", "--from", "x", "--rename", "a"],
            ["sessions", "--limit", "0"], ["status", "-o", "yaml"], ["status", "--coordinator", "ftp://x"],
            ["repo", "restore", "latest", "--repository", "/nowhere"], ["repo", "snapshots"],
            ["repo", "restore", "latest", "--repository", "/r", "--to-directory", "/d", "--drop"],
            ["repo", "backup", "--repository", "/nowhere", "--from", "mongodb://u:secret@h"],
        ]
    )
    func usage(_ arguments: [String]) async throws {
        let screen = Screen()
        let directory = try TestDirectory("cli")
        defer { directory.remove() }
        #expect(await screen.run(arguments, environment: ["HOME": directory.path]) == .usage)
        #expect(!screen.error.isEmpty && screen.output.isEmpty)
        #expect(!screen.error.contains("secret@"))
    }

    @Test("help goes to standard output and is a success", arguments: [["--help"], ["help", "exit-codes"]])
    func help(_ arguments: [String]) async {
        let screen = Screen()
        #expect(await screen.run(arguments) == .succeeded)
        #expect(screen.output.contains("USAGE") && screen.error.isEmpty)
    }
}

@Suite("Names")
struct FinderTests {
    private let targets = [
        Samples.target("a", "shop", configurations: ["nightly", "hourly"]),
        Samples.target("b", "shop", configurations: ["daily"]),
        Samples.target("b", "cart", configurations: ["cart"]),
    ]

    @Test("a configuration is found by its name, by its namespace, or by a target that has only one")
    func configurations() throws {
        #expect(try Finder.configuration("nightly", namespace: nil, among: targets).description == "a/nightly")
        #expect(try Finder.configuration("b/shop", namespace: nil, among: targets).description == "b/daily")
        #expect(try Finder.configuration("shop", namespace: "b", among: targets).description == "b/daily")
        #expect(try Finder.configuration("cart", namespace: nil, among: targets).description == "b/cart")
    }

    @Test("what is not clear is refused, with what there is")
    func unclear() {
        func failure(_ body: () throws -> ResourceKey) -> CommandFailure? {
            do {
                _ = try body()
                return nil
            } catch { return error as? CommandFailure }
        }
        #expect(failure { try Finder.configuration("a/shop", namespace: nil, among: targets) }?.status == .usage)
        #expect(failure { try Finder.target("shop", namespace: nil, among: targets) }?.status == .usage)
        let missing = failure { try Finder.target("shopp", namespace: nil, among: targets) }
        #expect(missing?.status == .notFound)
        #expect(missing?.hint == "there is: a/shop, b/cart, b/shop")
    }

    @Test("a log that comes in any pieces gives the same lines")
    func lineSplitter() {
        let bytes = Array("one\n\ntwo\nthree".utf8)
        for size in 1...bytes.count {
            var splitter = LineSplitter()
            var lines: [String] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                splitter.add(Array(bytes[start..<min(start + size, bytes.count)]))
                while let line = splitter.next(isComplete: false) {
                    lines.append(String(decoding: line, as: UTF8.self))
                }
            }
            while let line = splitter.next(isComplete: true) { lines.append(String(decoding: line, as: UTF8.self)) }
            #expect(lines == ["one", "two", "three"])
        }
    }
}
