import Foundation
import TestSupport
import Testing

/// Objects that make no sense: file, line and what is allowed, at the start and while the coordinator runs.
@Suite("bad objects", .serialized)
struct BadObjectsTests {
    private struct Case: Sendable {
        var from: String
        var to: String
        var words: [String]
    }

    /// What is changed in good objects, and what the coordinator must say.
    private let cases = [
        Case(
            from: "schedule: \"@yearly\"",
            to: "shedule: x",
            words: ["shop.yaml:26", "spec.shedule", "allowed: ", "schedule"]
        ),
        Case(
            from: "kind: BackupConfiguration",
            to: "kind: Backup",
            words: ["shop.yaml:21", "'Backup'", "BackupConfiguration"]
        ),
        Case(
            from: "schedule: \"@yearly\"",
            to: "paused: maybe",
            words: ["shop.yaml:26", "spec.paused", "true or false"]
        ),
        Case(
            from: "    name: main\n  target",
            to: "    name: other\n  target",
            words: ["Repository demo/other", "there are: main"]
        ),
        Case(
            from: "      name: shop\n",
            to: "      name: shoop\n",
            words: ["AppBinding demo/shoop", "there are: shop"]
        ),
        Case(from: "@yearly", to: "61 * * * *", words: ["shop.yaml:26", "spec.schedule", "minute", "61"]),
        Case(
            from: "@yearly\"",
            to: "@yearly\"\n  timeZone: Mars/Olympus",
            words: ["shop.yaml:27", "spec.timeZone", "Mars/Olympus"]
        ),
        Case(from: "@yearly\"", to: "@yearly\"\n  timeOut: soon", words: ["shop.yaml:27", "spec.timeOut", "30m"]),
        Case(from: "spec:\n  schedule", to: "spec:\n\tschedule", words: ["shop.yaml:26", "this is not YAML"]),
        Case(
            from: "kind: AppBinding\nmetadata:\n  name: shop",
            to: "kind: AppBinding\nmetadata:\n  name: ../shop",
            words: ["metadata.name", "../shop", "lower-case letters"]
        ),
    ]

    @Test("the coordinator doesn't start on them, and says file, line, field and what is allowed")
    func start() async throws {
        try await withTestDirectory("e2e-bad-objects") { directory in
            let deployment = try Deployment(in: directory, binaries: .beside())
            let path = directory.appending("objects/shop.yaml")
            let good = try String(contentsOfFile: path, encoding: .utf8)
            func refused(_ words: [String], _ files: String..., sourceLocation: SourceLocation = #_sourceLocation)
                async throws
            {
                let output = try await Command(
                    deployment.binaries.path("remora-coordinator"),
                    deployment.coordinator.arguments,
                    limit: .seconds(60)
                ).output()
                #expect(output.status == .code(78), "\(output.errorText)", sourceLocation: sourceLocation)
                for word in words {
                    #expect(
                        output.errorText.contains(word),
                        "'\(word)' is not in: \(output.errorText)",
                        sourceLocation: sourceLocation
                    )
                }
            }
            for bad in cases {
                try #require(good.contains(bad.from), "\(bad.from) is not in the objects")
                try directory.write(good.replacingOccurrences(of: bad.from, with: bad.to), to: "objects/shop.yaml")
                try await refused(bad.words)
            }
            try directory.write(good, to: "objects/shop.yaml")
            try directory.write(good, to: "objects/twice.yaml")
            try await refused(["twice.yaml:1", "BackupConfiguration demo/shop is given twice", "shop.yaml:1"])
            try FileManager.default.removeItem(atPath: directory.appending("objects/twice.yaml"))
            _ = try directory.makeDirectory("objects/folder.yaml")
            try await refused(["folder.yaml", "can't be read"])
        }
    }

    @Test("a running coordinator keeps the last good objects and says what is wrong with the new ones")
    func running() async throws {
        try await withTestDirectory("e2e-objects-go-bad") { directory in
            let deployment = try Deployment(in: directory, binaries: .beside())
            let good = try String(contentsOfFile: directory.appending("objects/shop.yaml"), encoding: .utf8)
            try await deployment.startCoordinator()
            try directory.write(good.replacingOccurrences(of: "@yearly", with: "never"), to: "objects/shop.yaml")
            let status = try await eventually("the status tells of the bad file", every: .milliseconds(200)) {
                let text = try await deployment.statusText()
                return text.contains("those from before stay in force") ? text : nil
            }
            for word in ["shop.yaml:26", "spec.schedule", "demo/shop  mongodb"] {
                #expect(status.contains(word), "'\(word)' is not in: \(status)")
            }
            // A secret that goes is a problem too, before the next backup finds out.
            try directory.write(good, to: "objects/shop.yaml")
            try FileManager.default.removeItem(atPath: directory.appending("secrets/storage"))
            try await eventually("only the secret is missing", every: .milliseconds(200)) {
                let text = try await deployment.statusText()
                return text.contains("secret demo/storage does not exist") && !text.contains("stay in force")
            }
            _ = try directory.makeDirectory("secrets/storage")
            try directory.write(Deployment.repositoryPassword, to: "secrets/storage/RESTIC_PASSWORD")
            try await eventually("all is told to be right again", every: .milliseconds(200)) {
                try await !deployment.statusText().contains("secret")
            }
            await deployment.coordinator.stop()
        }
    }

    @Test("no objects at all is said, and no error")
    func none() async throws {
        try await withTestDirectory("e2e-no-objects") { directory in
            let deployment = try Deployment(in: directory, binaries: .beside())
            try FileManager.default.removeItem(atPath: directory.appending("objects/shop.yaml"))
            try await deployment.startCoordinator()
            try await deployment.said("status").expect(0, "knows no AppBinding")
            try await deployment.said("backup", "shop").expect(6, "there is no BackupConfiguration 'shop'")
            await deployment.coordinator.stop()
        }
    }
}
