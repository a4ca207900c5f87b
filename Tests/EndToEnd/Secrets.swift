import Foundation
import TestSupport
import Testing

/// What everybody on a host can see, or whoever is sent a log: no secret may be there.
///
/// Argument lists of all processes, logs, and what coordinator and agents keep on disk; what they keep may be read by
/// nobody else.
func expectNoSecretInTheOpen(_ rig: Rig) throws {
    let directory = rig.deployment.directory
    func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }
    let tokens = ["enrolment.token", "state/admin.token"]
    let secrets =
        try tokens.map { try text(directory.appending($0)).trimmingCharacters(in: .whitespacesAndNewlines) }
        + [Deployment.repositoryPassword, MongoUser.remora.password]
    func expectNone(_ content: String, _ place: String) {
        for secret in secrets {
            let spellings = [secret, secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? secret]
            #expect(!spellings.contains { content.contains($0) }, "\(place) shows \(secret.prefix(4))…")
        }
    }

    for server in [rig.deployment.coordinator] + rig.agents {
        let process = try #require(server.process, "\(server.name) doesn't run")
        let arguments = try text("/proc/\(process.pid)/cmdline")
        #expect(arguments.contains("--"), "\(server.name) has no arguments: \(arguments)")
        expectNone(arguments, "the argument list of \(server.name)")
        expectNone(try text(server.logPath), "the log of \(server.name)")
    }

    var kept = 0
    let states = ["state"] + rig.agents.indices.map { "agent-mongo-\($0)" }
    for state in states {
        for name in try FileManager.default.subpathsOfDirectory(atPath: directory.appending(state)) {
            let path = directory.appending("\(state)/\(name)")
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let mode = try #require(attributes[.posixPermissions] as? Int)
            #expect(mode & 0o077 == 0, "\(state)/\(name) has mode \(String(mode, radix: 8))")
            guard attributes[.type] as? FileAttributeType == .typeRegular else { continue }
            kept += 1
            if !tokens.contains("\(state)/\(name)") { expectNone(try text(path), "\(state)/\(name)") }
        }
    }
    #expect(kept > rig.agents.count, "coordinator and agents keep nothing?")
}
