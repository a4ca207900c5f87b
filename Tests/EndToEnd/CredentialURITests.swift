import TestSupport
import Testing

/// A Secret that holds a connection string, as operators and cloud services make them.
@Suite("the user out of a connection string", .serialized)
struct CredentialURITests {
    @Test("opens the member beside the agent, whatever hosts it names")
    func connectionString() async throws {
        try await withTestDirectory("e2e-credential-uri") { directory in
            let set = try await ReplicaSet.start(ReplicaSetOptions(members: 1), in: directory)
            let member = try #require(set.members.first)
            func check(_ secret: String) async throws -> Command.Output {
                try directory.write(secret, to: "uri")
                return try await Command(
                    Binaries.beside().path("remora-agent"),
                    [
                        "--check", "--mongodb-uri", "mongodb://\(member.address)", "--credentials-uri-file",
                        directory.appending("uri"), "--state-dir", directory.path,
                    ]
                ).output()
            }
            let good = try await check(
                "mongodb://remora:remora%2Fp%40ss%3Aword%20%25@elsewhere.invalid:1,b:2/?authSource=admin\n"
            )
            #expect(good.status.succeeded, "\(good.text)\(good.errorText)")
            let bad = try await check("mongodb://remora:not-this-one@elsewhere.invalid/")
            #expect(!bad.status.succeeded)
            #expect("\(bad.text)\(bad.errorText)".contains("uthentication"), "\(bad.text)\(bad.errorText)")
            #expect(!"\(bad.text)\(bad.errorText)".contains("not-this-one"))
            await set.kill()
        }
    }
}
