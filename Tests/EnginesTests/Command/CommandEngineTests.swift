import BackupModel
import Foundation
import Repository
import TestSupport
import Testing

@testable import Engines

@Suite("A database that Remora doesn't know is dumped and loaded by programs")
struct CommandEngineTests {
    /// Several chunks, of lines that can be told apart.
    private static let lines = (0..<300_000).map { "INSERT INTO t VALUES (\($0), 'line \($0 &* 2_654_435_761)');\n" }
        .joined()

    @Test("what the program wrote is stored byte for byte, read by stock restic, known the second time, and comes back")
    func roundTrip() async throws {
        try await withTestDirectory("command-round-trip") { directory in
            let rig = try await CommandRig(directory)
            try directory.write(Self.lines, to: "data")
            try rig.program("dump", "cat '\(directory.appending("data"))'; echo '-- Dump completed on today'")
            try rig.program("load", "cat > '\(directory.appending("loaded"))'")
            let context = BackupContext()
            let backup = try await rig.backUp(rig.dump { $0.check = "-- Dump completed" }, context: context)
            let expected = [UInt8]((Self.lines + "-- Dump completed on today\n").utf8)
            #expect(backup.result.bytes == Int64(expected.count) && backup.result.guarantee == .node)
            #expect(backup.result.consistency == .none && backup.result.cut == nil && backup.result.engine == "mysql")
            #expect(backup.result.warnings.first?.hasPrefix("the consistency is the function's: ") == true)
            let chunks = backup.output.files.first { $0.path == "dump.sql" }?.content.count ?? 0
            #expect(chunks > 4, "a stream of \(expected.count) bytes has \(chunks) chunks")

            let files = try await rig.repositoryRig.restore(backup)
            let isSame = files["dump.sql"] == expected
            #expect(isSame, "of \(expected.count) bytes, \(files["dump.sql"]?.count ?? 0) came back, or others")
            let manifest = try WireJSON.decode(CommandManifest.self, from: files["remora.json"] ?? [])
            #expect(manifest.crc64 == CRC64(expected.span.bytes).description && manifest.consistency == "function's")

            let again = try await rig.backUp(rig.dump { $0.check = "-- Dump completed" })
            // Only the manifest, which has its time in it, and the tree.
            #expect(again.statistics.newDataBlobs <= 1, "\(again.statistics)")

            let result = try await rig.restore(rig.load(backup.id))
            #expect(result.bytes == Int64(expected.count))
            let isLoaded = try rig.bytes("loaded") == expected
            #expect(isLoaded)
        }
    }

    @Test("a program gets its function's arguments and environment, no input, and no descriptor of ours")
    func surroundings() async throws {
        try await withTestDirectory("command-surroundings") { directory in
            let rig = try await CommandRig(directory)
            try rig.program(
                "dump",
                #"for word in "$@"; do echo "[$word]"; done; /usr/bin/env; /bin/cat; /bin/ls /proc/self/fd | /usr/bin/tr '\n' ' '"#
            )
            let backup = try await rig.backUp(
                rig.dump {
                    $0.arguments = ["--host=${HOST}", "-P", "${PORT}", "${PARAM_database}", "a b;$(c)"]
                    $0.environment = [.init(name: "MYSQL_PWD", value: "${PASSWORD}"), .init(name: "LANG", value: "C")]
                    $0.parameters = ["database": "shop"]
                }
            )
            let stored = try await rig.repositoryRig.restore(backup)["dump.sql"] ?? []
            let lines = String(decoding: stored, as: UTF8.self).split(separator: "\n").map(String.init)
            #expect(lines.prefix(5) == ["[--host=127.0.0.1]", "[-P]", "[1]", "[shop]", "[a b;$(c)]"])
            // The shell itself adds PWD and the like.
            let names = Set(
                lines.dropFirst(5).dropLast().compactMap { $0.split(separator: "=").first.map(String.init) }
            )
            #expect(names.subtracting(["PWD", "OLDPWD", "SHLVL", "_"]) == ["PATH", "HOME", "LANG", "MYSQL_PWD"])
            #expect(lines.contains("MYSQL_PWD=\(CommandRig.password)") && lines.contains("LANG=C"))
            // 3 is the directory that ls itself reads.
            #expect(lines.last?.trimmingCharacters(in: .whitespaces) == "0 1 2 3")
        }
    }

    @Test("an empty database is as good as any other as long as the program wrote something")
    func small() async throws {
        try await withTestDirectory("command-small") { directory in
            let rig = try await CommandRig(directory)
            try rig.program("dump", "printf x")
            try rig.program("load", "cat > '\(directory.appending("loaded"))'")
            let backup = try await rig.backUp(rig.dump())
            _ = try await rig.restore(rig.load(backup.id))
            #expect(try rig.bytes("loaded") == [UInt8(ascii: "x")])
        }
    }

    @Test("what a program says is in the log, bounded and without the password")
    func words() async throws {
        try await withTestDirectory("command-words") { directory in
            let rig = try await CommandRig(directory)
            let long = String(repeating: "y", count: 990) + CommandRig.password + String(repeating: "z", count: 100_000)
            try directory.write(long, to: "long")
            try rig.program(
                "dump",
                """
                echo "log in with $PW" >&2; cat '\(directory.appending("long"))' >&2; echo >&2
                i=0; while [ $i -lt 5000 ]; do echo "row $i" >&2; i=$((i+1)); done; echo data
                """
            )
            let context = BackupContext()
            _ = try await rig.backUp(
                rig.dump { $0.environment = [.init(name: "PW", value: "${PASSWORD}")] },
                context: context
            )
            let said = context.lines.filter { $0.contains(" dump: ") }
            #expect(
                said.count == ProgramLines.mostLines + 1 && said.last?.hasSuffix("says more, which is left out") == true
            )
            #expect(said.contains("info dump: log in with \(Redactor.mark)"))
            #expect(said.allSatisfy { $0.utf8.count < 1100 })
            #expect(!context.log.contains("s3cr3t"), "not even a part of it")
        }
    }

    @Test("a look at the database says whether somebody listens, and whether there is a program to run")
    func inspects() async throws {
        try await withTestDirectory("command-inspect") { directory in
            let rig = try await CommandRig(directory)
            let nobody = await rig.engine(port: Int(try Ports.free())).inspect()
            #expect(!nobody.isReachable)
            #expect(
                nobody.problems.first?.hasSuffix("Connection refused; check that it runs and listens there") == true
            )
            var known: [CommandEngine] = []
            try await withListener { port in
                known = [rig.engine(port: Int(port)), rig.engine(port: Int(port), trust: .zero)]
                for engine in known { #expect(await engine.inspect().isReachable) }
                let bare = await rig.engine(port: Int(port)).inspect()
                #expect(bare.isReachable && bare.problems.first?.contains("--programs-dir") == true)
                try rig.program("dump", "exit 0")
                let status = await rig.engine(port: Int(port)).inspect()
                #expect(status.isReachable && status.role == .standalone && status.group == nil)
                #expect(status.host == "127.0.0.1:\(port)" && status.problems.isEmpty && status.lock == nil)
            }
            // One that has just answered isn't asked again: each connection is a line in its log.
            #expect(await known.first?.inspect().isReachable == true)
            #expect(await known.last?.inspect().isReachable == false)
            #expect(try await rig.engine().releaseLeftovers().isEmpty)
        }
    }

    private func withListener(_ body: (UInt16) async throws -> Void) async throws {
        let port = try Ports.free()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(code == 0 && listen(listener, 8) == 0)
        try await body(port)
    }

    @Test(
        "host and port are read, and nothing else is taken for them",
        arguments: [
            ("localhost:3306", "localhost:3306"), ("127.0.0.1:1", "127.0.0.1:1"), ("[::1]:3306", "[::1]:3306"),
            ("localhost", nil), ("localhost:0", nil), ("localhost:65536", nil), (":3306", nil), ("::1:3306", nil),
            ("a b:1", nil), ("-h:1", nil), ("http://h:1", nil),
        ] as [(String, String?)]
    )
    func endpoints(text: String, expected: String?) {
        #expect(Endpoint(text)?.description == expected)
    }
}
