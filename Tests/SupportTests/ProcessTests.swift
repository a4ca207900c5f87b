import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Processes")
struct ProcessTests {
    @Test("a command's output, error text and exit code come back")
    func output() async throws {
        let command = Command("/bin/sh", ["-c", "cat; echo bad >&2; exit 3"], input: Array("in".utf8))
        let output = try await command.output()
        #expect(output.text == "in")
        #expect(output.errorText == "bad\n")
        #expect(output.status == .code(3))
        await #expect(throws: TestSupportError.self) { try await command.run() }
    }

    @Test("a command that takes too long is killed")
    func limit() async throws {
        let output = try await Command("/bin/sleep", ["60"], limit: .milliseconds(50)).output()
        #expect(output.status == .signal(SIGKILL))
    }

    @Test("a program that isn't there fails with its name")
    func missingProgram() async throws {
        let output = try await Command("/nonexistent/tool").output()
        #expect(output.status == .code(127))
        #expect(output.errorText.contains("/nonexistent/tool"))
    }

    @Test("a missing tool names the command that installs it")
    func missingTool() {
        let error = #expect(throws: TestSupportError.self) {
            try Tools.find("remora-no-such-tool", variable: "REMORA_NONE")
        }
        #expect(error?.message == "remora-no-such-tool is not installed; run: make deps")
        #expect(throws: TestSupportError.self) {
            try Tools.find("sh", variable: "V", environment: ["V": "/nonexistent", "PATH": "/bin"])
        }
    }

    @Test("every tool that tests use is here")
    func tools() throws {
        for path in [try Tools.mongod(), try Tools.weed(), try Tools.restic(), try Tools.openssl()] {
            #expect(FileManager.default.isExecutableFile(atPath: path))
        }
    }

    @Test("a server that ends early fails its start with the end of its log")
    func earlyEnd() async throws {
        try await withTestDirectory { directory in
            let server = Server(
                "short",
                program: "/bin/sh",
                arguments: ["-c", "echo no disk; exit 7"],
                logPath: directory.appending("log")
            )
            try await server.launch()
            let error = await #expect(throws: TestSupportError.self) { try await server.waitUntilReady { false } }
            #expect(error?.message.contains("exit code 7") == true)
            #expect(error?.message.contains("no disk") == true)
        }
    }

    @Test("children ask the kernel to die with the process that started them")
    func parentDeath() async throws {
        // The child's own view of PR_SET_PDEATHSIG (option 2 of prctl), through an interpreter that can call it.
        let script =
            "import ctypes,sys; s=ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(s)); print(s.value)"
        let output = try await Command("/usr/bin/python3", ["-c", script]).run()
        #expect(output.text == "\(SIGKILL)\n")
    }

    @Test("free ports are free, and each is handed out once")
    func ports() throws {
        var seen: Set<UInt16> = []
        for _ in 0..<200 { #expect(seen.insert(try Ports.free()).inserted) }
        #expect(seen.allSatisfy { $0 < 32_768 && !Ports.accepts($0) })
    }

    @Test("a test's directory goes when it succeeds and stays when it fails")
    func directories() async throws {
        let gone = try await withTestDirectory { $0.path }
        #expect(!FileManager.default.fileExists(atPath: gone))
        var kept = ""
        await #expect(throws: CancellationError.self) {
            try await withTestDirectory { directory in
                kept = directory.path
                throw CancellationError()
            }
        }
        #expect(FileManager.default.fileExists(atPath: kept))
        try FileManager.default.removeItem(atPath: kept)
    }

    @Test("restic writes and checks a repository")
    func restic() async throws {
        try await withTestDirectory { directory in
            let restic = Restic(repository: directory.appending("repository"), password: "secret")
            try await restic.run("init")
            try await restic.run("backup", "--stdin", "--stdin-filename", "x", input: Array("hello".utf8))
            try await restic.check()
            #expect(try await restic.run("dump", "latest", "x").text == "hello")
        }
    }
}
