import TestSupport
import Testing

/// Command lines that make no sense or can't be done: each ends with the documented code and says what to do.
@Suite("bad commands", .serialized)
struct BadCommandsTests {
    @Test("without an agent: usage, addresses, tokens, names, deadlines, cancelling and waiting")
    func withoutAgent() async throws {
        try await withTestDirectory("e2e-bad-commands") { directory in
            let deployment = try Deployment(in: directory, binaries: .beside(), configuration: "  timeOut: 3s")
            try await deployment.startCoordinator()
            try await usage(deployment)
            try await reaching(deployment)
            try await names(deployment)
            // Nobody ever works for this session: it ends by its deadline, or when somebody cancels it.
            try await deployment.said("backup", "shop", "--wait")
                .expect(1, "did not finish within 3s", "waiting for an agent of target demo/shop")
            try await cancelled(deployment)
            try await deployment.said("describe", "latest", "--bogus").expect(2, "--bogus")
            let reader = try await Command(
                "/bin/bash",
                [
                    "-c",
                    "exec 3> >(true); wait $!; \(deployment.binaries.path("remora")) exit-codes >&3; echo $? >&2",
                ],
                limit: .seconds(60)
            ).output()
            #expect(reader.errorText.contains("141"), "\(reader.errorText)")
            await deployment.coordinator.stop()
            try await deployment.said("status").expect(4, "does not answer: nobody accepts connections there")
        }
    }

    private func usage(_ deployment: Deployment) async throws {
        try await deployment.said("frobnicate").expect(2, "frobnicate")
        try await deployment.said("backup").expect(2, "<name>")
        try await deployment.said("backup", "shop", "--consistency", "maybe").expect(
            2,
            "'lock', 'snapshot', 'oplog' or 'none'"
        )
        try await deployment.said("restore", "shop").expect(2, "--from")
        try await deployment.said("restore", "shop", "--from", "latest", "--rename", "x").expect(2, "'x' is no rename")
        try await deployment.said("status", "-o", "xml").expect(2, "'text' and 'json'")
        for url in ["ftp://x", "127.0.0.1:7480", "http://", "http://127.0.0.1:999999"] {
            try await deployment.said("status", "--coordinator", url).expect(2, "URL is '\(url)'", "it looks like")
        }
        try await deployment.said("status", "--coordinator", "http://example.invalid").expect(
            2,
            "unencrypted",
            "https://"
        )
    }

    private func reaching(_ deployment: Deployment) async throws {
        try await deployment.said("status", "--coordinator", "https://no-such-host.invalid")
            .expect(4, "there is no host of that name", "REMORA_COORDINATOR")
        let wrong = try deployment.directory.write("a-wrong-token-0123456789", to: "wrong.token")
        let empty = try deployment.directory.write("", to: "empty.token")
        try await deployment.said("backup", "shop", "--token-file", wrong).expect(5, "token is wrong", "admin.token")
        try await deployment.said("backup", "shop", "--token-file", empty).expect(5, "holds no token")
        try await deployment.said("backup", "shop", "--token-file", "/none/token").expect(5, "there is no such file")
        try await deployment.said("backup", "shop", environment: ["REMORA_TOKEN_FILE": nil])
            .expect(5, "needs the admin token", "--token-file")
    }

    private func names(_ deployment: Deployment) async throws {
        try await deployment.said("backup", "nope").expect(6, "there is no BackupConfiguration 'nope'", "demo/shop")
        try await deployment.said("restore", "nope", "--from", "latest").expect(
            6,
            "there is no target 'nope'",
            "demo/shop"
        )
        for command in ["describe", "logs", "cancel"] {
            for name in ["nope", "demo/nope"] {
                try await deployment.said(command, name).expect(6, "there is no session")
            }
            // What could lead out of the prefix is never asked for.
            for name in ["../../etc/passwd", "demo/..", "demo/a%2fb"] {
                let said = try await deployment.said(command, name)
                said.expect(6)
                #expect(!said.text.contains("root:"))
            }
        }
        try await deployment.said("snapshots", "nope").expect(6, "there is no target")
    }

    private func cancelled(_ deployment: Deployment) async throws {
        try deployment.directory.write(
            Deployment.objects(
                backend: "    local:\n      mountPath: \(deployment.directory.appending("repository"))",
                configuration: ""
            ),
            to: "objects/shop.yaml"
        )
        await deployment.coordinator.stop()
        try await deployment.startCoordinator()
        async let waiting = deployment.said("backup", "shop", "--wait")
        let session = try await eventually("the session waits", every: .milliseconds(100)) {
            try await deployment.json("sessions").elements.first { $0["phase"].string == "Queued" }?["name"].string
        }
        try await deployment.said("cancel", session).expect(0)
        try await waiting.expect(3, "was cancelled", session)
        try await deployment.said("cancel", session).expect(7, "is over already")
        // `timeout` sends what Ctrl-C sends.
        let interrupted = try await Command(
            "/usr/bin/timeout",
            ["--preserve-status", "-s", "INT", "4", deployment.binaries.path("remora"), "backup", "shop", "--wait"],
            environment: deployment.clientEnvironment,
            limit: .seconds(60)
        ).output()
        Said(interrupted).expect(130, "stopped waiting", "remora cancel")
    }
}
