import Foundation
import TestSupport
import Testing

@Suite("a database that Remora doesn't know is backed up by YAML: MariaDB", .serialized)
struct CommandTests {
    @Test("everything comes back: rows, binary and four-byte text, views, routines, triggers, events")
    func roundTrip() async throws {
        try await withCommandRig("e2e-mariadb") { rig in
            try await MariaDBDataSet.load(into: rig.database)
            let before = try await MariaDBDataSet.fingerprint(rig.database)
            #expect(before.count == 14, "\(before)")
            let backup = try await rig.deployment.remora("backup", "shop", "--wait")
            try #require(backup.status.succeeded, "\(backup.text)\(backup.errorText)")
            let restic = Restic(
                repository: rig.directory.appending("repository/demo/shop/standalone"),
                password: Deployment.repositoryPassword
            )
            try await restic.check()
            let listed = try await rig.deployment.json("snapshots")[0]
            #expect(listed["guarantee"].string == "node", "\(listed)")

            // With nothing else alive.
            let bare = try await rig.deployment.remora(
                "repo",
                "dump",
                "latest",
                "dump.sql",
                "--repository",
                rig.directory.appending("repository/demo/shop/standalone"),
                environment: ["REMORA_PASSWORD": Deployment.repositoryPassword, "REMORA_COORDINATOR": nil]
            )
            let isWhole =
                bare.bytes.count == listed["bytes"].number.map { Int($0) } && bare.text.contains("-- Dump completed on")
            #expect(bare.status.succeeded && isWhole, "\(bare.errorText)")

            // What has not changed is known, though the dump ends with another time.
            let again = try await rig.deployment.remora("backup", "shop", "--wait")
            try #require(again.status.succeeded, "\(again.text)\(again.errorText)")
            let (second, first) = (
                try await rig.deployment.json("snapshots")[0], try await rig.deployment.json("snapshots")[1]
            )
            let (known, new) = (try #require(second["bytesAdded"].number), try #require(first["bytesAdded"].number))
            #expect(known < new / 2, "\(known) of \(new) bytes were stored again")

            // Without being told that what is there may go, nothing is touched.
            let refused = try await rig.deployment.said(
                "restore",
                "shop",
                "--from",
                "latest",
                "--task",
                "mysql-restore",
                "--wait"
            )
            refused.expect(7, "whether mysql at 127.0.0.1:\(rig.database.port) is empty can't be told", "--drop")
            let unnamed = try await rig.deployment.said("restore", "shop", "--from", "latest", "--drop")
            unnamed.expect(7, "nothing is built in for mysql, so name a Task of yours; there are: mysql-restore")
            #expect(try await MariaDBDataSet.fingerprint(rig.database) == before)

            try await MariaDBDataSet.drop(from: rig.database)
            let restore = try await rig.deployment.remora(
                "restore",
                "shop",
                "--from",
                "latest",
                "--task",
                "mysql-restore",
                "--drop",
                "--wait"
            )
            try #require(restore.status.succeeded, "\(restore.text)\(restore.errorText)")
            #expect(try await MariaDBDataSet.fingerprint(rig.database) == before)

            // By an object, over what is there and was changed.
            try await rig.database.run("DELETE FROM shop.orders WHERE id % 2 = 0; DROP TABLE shop.bodies;")
            try rig.directory.write(
                """
                apiVersion: remora.dev/v1alpha1
                kind: RestoreSession
                metadata: {name: again, namespace: demo}
                spec: {target: {ref: {name: shop}}, task: {name: mysql-restore}, conflict: DropCollections}
                """,
                to: "objects/restore.yaml"
            )
            let session = try await eventually("the restore ends", within: .seconds(120), every: .milliseconds(200)) {
                let view = try await rig.deployment.json("describe", "again")
                return ["Succeeded", "Failed"].contains(view["phase"].string ?? "") ? view : nil
            }
            #expect(session["phase"].string == "Succeeded", "\(session)")
            #expect(try await MariaDBDataSet.fingerprint(rig.database) == before)
            #expect(try !rig.allWords().contains(MariaDBServer.user.password))
        }
    }

    @Test("what goes wrong fails the session in one sentence without a secret, and no backup is there")
    func faults() async throws {
        try await withCommandRig("e2e-mariadb-faults") { rig in
            try await MariaDBDataSet.load(into: rig.database, orders: 2_000)
            let agent = try #require(rig.agent.process?.pid)

            // Killed in the middle.
            let killed = try await rig.startBackup("slow")
            let victim = try await eventually("the program runs", within: .seconds(60)) { try rig.program() }
            kill(victim, SIGKILL)
            let dead = try await rig.deployment.waitForEnd(of: killed)
            #expect(dead["phase"].string == "Failed")
            let sentence = try #require(dead["message"].string)
            #expect(sentence.contains("mariadb-dump was ended by signal 9 (Killed)"), "\(sentence)")
            #expect(try await rig.counts() == (0, 0))

            // Cancelled by a person.
            let cancelled = try await rig.startBackup("slow")
            let second = try await eventually("the program runs", within: .seconds(60)) { try rig.program() }
            _ = try await rig.deployment.remora("cancel", cancelled)
            #expect(try await rig.deployment.waitForEnd(of: cancelled)["phase"].string == "Cancelled")
            #expect(kill(second, 0) != 0, "the program is gone with its session")

            // Cut short, with an exit code that says that all is well.
            try rig.directory.write(
                "#!/bin/sh\nPATH=/usr/bin:/bin\nmariadb-dump \"$@\" | head -c -60\n",
                to: "programs/cut-dump"
            )
            chmod(rig.directory.appending("programs/cut-dump"), 0o755)
            let cut = try await rig.deployment.remora("backup", "cut", "--wait")
            #expect(!cut.status.succeeded)
            #expect(
                (cut.text + cut.errorText).contains(
                    "'-- Dump completed' (the Function's check): the dump was cut short"
                )
            )
            #expect(try await rig.counts() == (0, 0))

            // The wrong password; then the right one, without a new start of anything.
            let wrong = "wr0ng-p4ssw0rd"
            try rig.directory.write(wrong, to: rig.passwordFile)
            let denied = try await rig.deployment.remora("backup", "shop", "--wait")
            #expect(!denied.status.succeeded)
            let said = denied.text + denied.errorText
            #expect(
                said.contains("mariadb-dump ended with exit code 2: ") && said.contains("Access denied for user"),
                "\(said)"
            )
            #expect(try !said.contains(wrong) && !rig.allWords().contains(wrong))
            #expect(try await rig.counts() == (0, 0))
            try rig.directory.write(MariaDBServer.user.password, to: rig.passwordFile)
            let good = try await rig.deployment.remora("backup", "shop", "--wait")
            #expect(good.status.succeeded, "\(good.text)\(good.errorText)")
            #expect(try await rig.counts() == (1, 1))

            // The agent itself is killed: its program goes with it, and the next start knows what was lost.
            let lost = try await rig.startBackup("slow")
            let orphan = try await eventually("the program runs", within: .seconds(60)) { try rig.program() }
            #expect(rig.agent.process?.pid == agent, "it is still the first process")
            await rig.agent.kill()
            try await eventually("the program is gone with its agent", within: .seconds(10)) {
                let state = try? String(contentsOfFile: "/proc/\(orphan)/stat", encoding: .utf8)
                return state.map { $0.contains(") Z ") } ?? true
            }
            try await rig.agent.launch()
            #expect(try await rig.deployment.waitForEnd(of: lost)["phase"].string == "Failed")
            #expect(try await rig.counts() == (1, 1))
            #expect(try !rig.allWords().contains(MariaDBServer.user.password))
        }
    }
}
