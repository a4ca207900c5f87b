import Foundation
import TestSupport

/// `make demo`: a real replica set is backed up beside its members, destroyed, restored, and proven equal.
@main
enum Demonstration {
    static func main() async {
        do {
            try await withTestDirectory("demo") { try await run(in: $0) }
        } catch {
            FileHandle.standardError.write(Data("\ndemo: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(in directory: TestDirectory) async throws {
        let start = ContinuousClock.now
        let keepsRunning = ProcessInfo.processInfo.environment["KEEP"] == "1"
        let story = Story()

        let stage = try await Stage.build(in: directory, story)
        let before = try await stage.fingerprints()

        story.heading("Back up")
        story.say("$ remora backup shop --follow")
        let backup = try await story.timed { try await stage.remora("backup", "shop", "--follow") }
        let session = try await stage.latestBackup()
        story.say(session.sentence + ", in \(backup)")
        try await stage.checkWithRestic()
        story.say("stock restic has read all of it and found no errors")

        story.heading("Again, nothing changed")
        let again = try await story.timed { try await stage.remora("backup", "shop", "--wait") }
        story.say(try await stage.latestBackup().sentence + ", in \(again)")

        story.heading("Destroy")
        try await DataSet.drop(from: stage.set.uri())
        let left = try await ClusterFingerprint.read(stage.set.client()).collections.keys.filter {
            !$0.hasPrefix("admin.")
        }
        story.say("every database, user and role of ours is dropped: \(left.count) collections are left")

        story.heading("Restore")
        story.say("$ remora restore shop --from latest --wait")
        let restore = try await story.timed { try await stage.remora("restore", "shop", "--from", "latest", "--wait") }
        story.say("restored in \(restore)")

        story.heading("Prove")
        let after = try await story.timedValue { try await stage.fingerprints() }
        let differences = zip(stage.set.members, zip(before, after.value)).flatMap { member, pair in
            pair.1.differences(from: pair.0).map { "\(member.address): \($0)" }
        }
        guard differences.isEmpty else {
            throw TestSupportError("the restored set differs:\n  " + differences.joined(separator: "\n  "))
        }
        story.say(
            "all \(stage.set.members.count) members are equal to what they were: dbHash, options, indexes, users and roles "
                + "of \(before[0].collections.count) collections (\(after.duration))"
        )

        story.heading("Told in \(story.format(ContinuousClock.now - start))")
        await stage.end(keepingItRunning: keepsRunning, story)
    }
}
