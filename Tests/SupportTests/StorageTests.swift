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
