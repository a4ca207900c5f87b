import Foundation
import TestSupport
import Testing

/// What is wrong with the database or the repository, seen through the whole system: status, waiting command, agent's log.
@Suite("bad databases and secrets", .serialized)
struct BadDatabaseTests {
    @Test("log-ins, privileges, secrets and locks: named, with the documented code, and over as soon as they are right")
    func everything() async throws {
        try await withRig("e2e-bad-database", members: ReplicaSetOptions(members: 1)) { rig in
            let member = rig.set.members[0]
            try await member.client().command(
                #"{"insert": "x/../../../escape", "documents": [{"_id": 1}], "writeConcern": {"w": 1}}"#,
                on: "odd"
            )
            try await leastPrivileges(rig)
            try await restores(rig)
            try await secrets(rig)
            try await foreignLock(rig)
            try await privileges(rig)
            try await logIn(rig)
        }
    }

    /// Exactly what docs/how-to/give-mongodb-privileges.md gives: a backup and a restore succeed with it.
    private func leastPrivileges(_ rig: Rig) async throws {
        try await rig.set.members[0].client().command(
            """
            {"updateRole": "\(MongoUser.remoraRole)", "roles": [],
             "privileges": [{"resource": {"cluster": true}, "actions": ["replSetStateChange"]}]}
            """,
            on: "admin"
        )
        try await rig.deployment.said("backup", "shop", "--wait").expect(0)
        try await rig.deployment.said("restore", "shop", "--from", "latest", "--drop", "--wait").expect(0)
    }

    private func restores(_ rig: Rig) async throws {
        try await rig.deployment.said("restore", "shop", "--from", "unknown", "--wait")
            .expect(6, "there is no backup 'unknown' of demo/shop", "newest: shop-")
        try await rig.deployment.said("restore", "shop", "--from", "../../x", "--wait").expect(6, "there is no backup")
        try await rig.deployment.said("restore", "shop", "--from", "latest", "--wait").expect(7, "--drop", "odd.")
        // A name that looks like a way out is a file's name and nothing else.
        let out = rig.directory.appending("out")
        try await rig.deployment.said(
            "repo",
            "restore",
            "latest",
            "--to-directory",
            out,
            "--repository",
            rig.directory.appending("repository/demo/shop/rs0"),
            environment: ["REMORA_PASSWORD": Deployment.repositoryPassword]
        ).expect(0)
        let escaped = try FileManager.default.subpathsOfDirectory(atPath: rig.directory.path)
            .filter { $0.contains("escape") }
        #expect(!escaped.isEmpty && escaped.allSatisfy { $0.hasPrefix("out/odd/") }, "\(escaped)")
    }

    private func secrets(_ rig: Rig) async throws {
        let entry = "secrets/storage/RESTIC_PASSWORD"
        try rig.directory.write("not the password", to: entry)
        try await rig.deployment.said("backup", "shop", "--wait").expect(
            8,
            "wrong password for the repository",
            "demo/shop/rs0"
        )
        try FileManager.default.removeItem(atPath: rig.directory.appending(entry))
        try await rig.deployment.said("backup", "shop", "--wait").expect(2, "secret demo/storage", "RESTIC_PASSWORD")
        try rig.directory.write(Deployment.repositoryPassword, to: entry)
        try await rig.deployment.said("backup", "shop", "--wait").expect(0)
    }

    private func foreignLock(_ rig: Rig) async throws {
        let member = rig.set.members[0]
        try await member.client().command(#"{"fsync": 1, "lock": true}"#, on: "admin")
        let said = try await direct(rig, MongoUser.remora.password)
        try await member.client().command(#"{"fsyncUnlock": 1}"#, on: "admin")
        said.expect(11, "locked by somebody else", "db.fsyncUnlock()")
    }

    private func privileges(_ rig: Rig) async throws {
        let admin = try rig.set.members[0].client()
        try await admin.command(
            #"{"revokeRolesFromUser": "remora", "roles": ["backup", "clusterMonitor", "restore", "readWriteAnyDatabase"]}"#,
            on: "admin"
        )
        try await eventually("the status names what is missing", every: .milliseconds(300)) {
            let text = try await rig.deployment.statusText()
            return text.contains("action listDatabases (role backup)") && text.contains("role clusterMonitor")
        }
        try await direct(rig, MongoUser.remora.password).expect(
            13,
            "action find (role backup) to read every collection"
        )
        try await admin.command(
            #"{"grantRolesToUser": "remora", "roles": ["backup", "clusterMonitor"]}"#,
            on: "admin"
        )
        try await eventually("nothing is missing for a backup", every: .milliseconds(300)) {
            try await !rig.deployment.statusText().contains("role backup")
        }
        try await rig.deployment.said("restore", "shop", "--from", "latest", "--drop", "--wait")
            .expect(13, "remora@admin may not", "insert", "in odd", "readWriteAnyDatabase")
        try await admin.command(
            #"{"grantRolesToUser": "remora", "roles": ["restore", "readWriteAnyDatabase"]}"#,
            on: "admin"
        )
    }

    private func logIn(_ rig: Rig) async throws {
        let agent = rig.agents[0]
        let admin = try rig.set.members[0].client()
        await agent.stop()
        try await admin.command(#"{"updateUser": "remora", "pwd": "another"}"#, on: "admin")
        try await agent.launch()
        try await eventually("the status tells of the refused log-in", every: .milliseconds(300)) {
            let text = try await rig.deployment.statusText()
            return text.contains("refuses the log-in: check user name, password") && text.contains("no database")
        }
        #expect(agent.logTail().contains("refuses the log-in"), "\(agent.logTail())")
        try await direct(rig, "wrong").expect(13, "refuses the log-in")
        let session = try await rig.startBackup()
        try await eventually("the session says what it waits for", every: .milliseconds(300)) {
            try await rig.deployment.said("describe", session).text.contains("refuses the log-in")
        }
        // The agent needs no restart, and the session that waited goes on.
        try await admin.command(
            "{\"updateUser\": \"remora\", \"pwd\": \"\(MongoUser.remora.password)\"}",
            on: "admin"
        )
        #expect(try await rig.waitForEnd(of: session)["phase"].string == "Succeeded")
        #expect(agent.logTail().contains("answers: primary of rs0"), "\(agent.logTail())")
    }

    /// A backup without coordinator and agent.
    private func direct(_ rig: Rig, _ password: String) async throws -> Said {
        try await rig.deployment.said(
            "repo",
            "backup",
            "--from",
            "mongodb://\(rig.set.members[0].address)/?authSource=admin",
            "--repository",
            rig.directory.appending("direct"),
            environment: [
                "REMORA_PASSWORD": Deployment.repositoryPassword, "REMORA_STATE_DIR": rig.directory.appending("notes"),
                "REMORA_MONGODB_USERNAME": MongoUser.remora.name, "REMORA_MONGODB_PASSWORD": password,
            ]
        )
    }
}
