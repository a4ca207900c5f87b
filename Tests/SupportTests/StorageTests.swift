import TestSupport
import Testing

@Suite("Storage rigs")
struct StorageTests {
    @Test("SeaweedFS takes a signed put over HTTP and HTTPS and refuses a wrong secret")
    func seaweed() async throws {
        let seaweed = try await SharedServers.seaweedFS()
        let bucket = SharedServers.uniqueName("bucket")
        try await seaweed.makeBucket(bucket)
        let curl = try Tools.find("curl", variable: "REMORA_CURL")
        func put(_ endpoint: String, _ secret: String) async throws -> String {
            try await Command(
                curl,
                ["--silent", "--show-error", "--aws-sigv4", "aws:amz:us-east-1:s3", "--config", "-"]
                    + ["--cacert", try #require(seaweed.caFile), "--upload-file", "/etc/hostname"]
                    + ["--write-out", "%{http_code}", "--output", "/dev/null", "\(endpoint)/\(bucket)/key"],
                input: Array("user = \"\(SeaweedFS.accessKeyID):\(secret)\"\n".utf8)
            ).run().text
        }
        #expect(try await put(seaweed.endpoint, SeaweedFS.secretAccessKey) == "200")
        #expect(try await put(try #require(seaweed.tlsEndpoint), SeaweedFS.secretAccessKey) == "200")
        #expect(try await put(seaweed.endpoint, "wrong") == "403")
    }

    @Test("the fault proxy passes signed requests on as they are, and spoils those that it is told to")
    func faultProxy() async throws {
        let seaweed = try await SharedServers.seaweedFS()
        let bucket = SharedServers.uniqueName("bucket")
        try await seaweed.makeBucket(bucket)
        let proxy = try FaultProxy(before: seaweed.port)
        defer { proxy.end() }
        let curl = try Tools.find("curl", variable: "REMORA_CURL")
        func status(_ method: [String]) async throws -> String {
            let output = try await Command(
                curl,
                ["--silent", "--aws-sigv4", "aws:amz:us-east-1:s3", "--config", "-", "--write-out", "%{http_code}"]
                    + ["--output", "/dev/null", "\(proxy.endpoint)/\(bucket)/key"] + method,
                input: Array("user = \"\(SeaweedFS.accessKeyID):\(SeaweedFS.secretAccessKey)\"\n".utf8)
            ).output()
            return output.status.succeeded ? output.text : "broken"
        }
        let (put, get) = (["--upload-file", "/etc/passwd"], [String]())
        #expect(try await status(get) == "404")
        proxy.obey { request in request.attempt == 1 ? .breakUpload : .answer(status: 503, code: "SlowDown") }
        #expect(try await status(put) == "broken")
        #expect(try await status(put) == "503")
        proxy.release()
        #expect(try await status(get) == "404", "neither reached the store")
        proxy.obey { _ in .loseAnswer }
        #expect(try await status(put) == "broken")
        proxy.obey { $0.attempt == 3 ? .breakDownload : nil }
        #expect(try await status(get) == "broken")
        #expect(proxy.injected == ["broken upload": 1, "503": 1, "lost answer": 1, "broken download": 1])
        proxy.vanish()
        #expect(try await status(get) == "broken")
        proxy.comeBack()
        try await eventually("the store answers again") { try await status(get) == "200" }
        #expect(try await status(put) == "200")
    }

    @Test("restic keeps a repository on SeaweedFS, and objects survive a crash of the server")
    func crash() async throws {
        try await withTestDirectory { directory in
            let seaweed = try await SeaweedFS.start(in: directory)
            try await seaweed.makeBucket("restic")
            let restic = Restic(
                repository: "s3:\(seaweed.endpoint)/restic/a/b",
                password: "secret",
                environment: seaweed.environment
            )
            try await restic.run("init")
            try await restic.run("backup", "--stdin", input: Array("hello".utf8))
            await seaweed.kill()
            try await seaweed.start()
            try await restic.check()
            await seaweed.kill()
        }
    }
}
