import BackupModel
import Foundation

/// The entries of one secret; nothing of them ever shows in a text.
struct SecretValues: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let values: [String: String]

    init(_ values: [String: String]) { self.values = values }

    /// One entry; nil when it is missing.
    subscript(name: String) -> String? { values[name] }

    /// All entries but the repository's password: what a store needs.
    var storage: [String: String] { values.filter { $0.key != Self.passwordKey } }

    /// The names only.
    var description: String { "SecretValues(\(values.keys.sorted().joined(separator: ", ")))" }
    /// The names only.
    var debugDescription: String { description }
    /// The names only.
    var customMirror: Mirror { Mirror(self, children: [("names", values.keys.sorted())]) }

    /// The text with every secret value cut out, should a library have put one into its message.
    func redact(_ text: String) -> String {
        var text = text
        for value in values.values {
            let trimmed = value.trimmingCharacters(in: .whitespacesAndNewlines)
            // Shorter ones would cut ordinary words to pieces.
            if trimmed.count >= 6 { text = text.replacingOccurrences(of: trimmed, with: "<redacted>") }
        }
        return text
    }

    static let passwordKey = "RESTIC_PASSWORD"
}

/// A secret can't be read: which, and what to do.
struct SecretError: Error, Sendable, CustomStringConvertible {
    var description: String
}

/// Where secrets come from.
protocol SecretSource: Sendable {
    /// The entries of a secret.
    func secret(_ key: ResourceKey) async throws(SecretError) -> SecretValues
}

extension SecretSource {
    /// What is wrong with the secret of a repository, before a backup finds out: one sentence, or nil.
    func problem(of repository: RepositoryObject) async -> String? {
        let name = ResourceKey(namespace: repository.key.namespace, name: repository.spec.backend.storageSecretName)
        do {
            return try await secret(name)[SecretValues.passwordKey]?.isEmpty == false
                ? nil : "secret \(name) has no entry \(SecretValues.passwordKey)"
        } catch {
            return error.description
        }
    }
}

/// Secrets as files, like Kubernetes mounts them: `DIR/<namespace>/<secret>/<entry>`, or `DIR/<secret>/<entry>`.
struct SecretDirectory: SecretSource {
    let path: String
    private static let maximumBytes = 1 << 20

    func secret(_ key: ResourceKey) throws(SecretError) -> SecretValues {
        let candidates = ["\(path)/\(key.namespace)/\(key.name)", "\(path)/\(key.name)"]
        guard let directory = candidates.first(where: isDirectory) else {
            throw SecretError(
                description: "secret \(key) does not exist: expected files in \(candidates.joined(separator: " or "))"
            )
        }
        var values: [String: String] = [:]
        do {
            for name in try FileManager.default.contentsOfDirectory(atPath: directory) where !name.hasPrefix(".") {
                let file = "\(directory)/\(name)"
                if isDirectory(file) { continue }
                guard let data = FileManager.default.contents(atPath: file), data.count <= Self.maximumBytes,
                    let text = String(data: data, encoding: .utf8)
                else {
                    throw SecretError(description: "secret \(key): \(file) can't be read as a text of at most 1 MiB")
                }
                values[name] = text
            }
        } catch let error as SecretError {
            throw error
        } catch {
            throw SecretError(description: "secret \(key): \(directory) can't be listed; check its permissions")
        }
        return SecretValues(values)
    }

    private func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }
}
