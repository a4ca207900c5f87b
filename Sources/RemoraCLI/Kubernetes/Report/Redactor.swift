import Foundation
import Kubernetes

/// Takes out of trees and texts what must not leave the cluster.
///
/// Three nets, one behind the other: where values are known to be secret (environment variables, fields called
/// password), what looks like a secret (tokens, keys, passwords in URLs), and what is one: values of the Secrets that
/// were read to list their keys.
struct Redactor: Sendable {
    /// What stands in a secret's place.
    static let mark = "(redacted)"
    /// Shorter values are words that stand everywhere, and no secrets.
    private static let shortest = 6

    /// Longest first, so that no rest of one stays behind a shorter one.
    private let values: [String]

    /// - Parameter secrets: values that may stand nowhere, in plain text; their base64 may not either.
    init(secrets: some Sequence<String>) {
        var values: Set<String> = []
        for secret in secrets {
            for text in [secret, secret.trimmingCharacters(in: .whitespacesAndNewlines)]
            where text.utf8.count >= Self.shortest {
                values.insert(text)
                values.insert(Data(text.utf8).base64EncodedString())
                if let escaped = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) {
                    values.insert(escaped)
                }
                // As it stands within JSON.
                values.insert(String(JSONTree.string(text).description.dropFirst().dropLast()))
            }
        }
        self.values = values.sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
    }

    // MARK: Trees

    /// Annotations that hold a whole object once more.
    private static let droppedAnnotations = ["kubectl.kubernetes.io/last-applied-configuration"]
    /// Fields with such ends hold secrets, whatever the object.
    private static let secretEndings = [
        "password", "passwd", "passphrase", "token", "secretkey", "accesskey", "accesskeyid", "apikey", "privatekey",
    ]

    /// The tree without secrets.
    func redact(_ tree: JSONTree) -> JSONTree {
        if tree["kind"]?.string == "Secret" { return redact(secret: tree) }
        switch tree {
        case .string(let text): return .string(redact(text))
        case .array(let elements): return .array(elements.map { redact($0) })
        case .object(let members):
            var result: [String: JSONTree] = [:]
            for (key, value) in members {
                switch key {
                case "managedFields": continue
                case "annotations":
                    result[key] = redact(
                        .object((value.object ?? [:]).filter { !Self.droppedAnnotations.contains($0.key) })
                    )
                case "env": result[key] = redact(environment: value)
                case _ where Self.holdsSecret(key) && value.string != nil: result[key] = .string(Self.mark)
                default: result[key] = redact(value)
                }
            }
            return .object(result)
        default: return tree
        }
    }

    private static func holdsSecret(_ key: String) -> Bool {
        let key = key.lowercased().filter { $0.isLetter }
        return secretEndings.contains { key.hasSuffix($0) }
    }

    /// Names stay, and where a value comes from; values go.
    private func redact(environment: JSONTree) -> JSONTree {
        .array(
            (environment.array ?? []).map { variable in
                var variable = variable
                if variable["value"] != nil { variable["value"] = .string(Self.mark) }
                return redact(variable)
            }
        )
    }

    /// Name and keys.
    private func redact(secret: JSONTree) -> JSONTree {
        var result: JSONTree = ["kind": "Secret"]
        for key in ["name", "namespace"] { result[key] = secret[path: "metadata", key] }
        result["type"] = secret["type"]
        let keys = ["data", "stringData"].flatMap { (secret[$0]?.object ?? [:]).keys }
        result["keys"] = .array(keys.sorted().map { .string($0) })
        return result
    }

    // MARK: Texts

    /// The text without secrets.
    func redact(_ text: String) -> String {
        var text = text
        for value in values where text.contains(value) { text = text.replacing(value, with: Self.mark) }
        return Self.withoutLookalikes(text)
    }

    private static func withoutLookalikes(_ text: String) -> String {
        var text = text
        if text.contains("-----BEGIN") {
            text = text.replacing(
                #/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/#,
                with: mark
            )
        }
        if text.contains("eyJ") {
            // A JSON Web Token: header, claims and signature.
            text = text.replacing(#/eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?/#, with: mark)
        }
        if text.contains("://") {
            text = text.replacing(#/(:\/\/)[^\/\s@"']+@/#) { "\($0.output.1)\(mark)@" }
        }
        if text.contains("AKIA") || text.contains("ASIA") { text = text.replacing(#/A[KS]IA[0-9A-Z]{16}/#, with: mark) }
        text = text.replacing(#/(?i)(bearer |basic )[A-Za-z0-9._~+\/=-]{8,}/#) { "\($0.output.1)\(mark)" }
        return text.replacing(
            #/(?i)((?:password|passwd|passphrase|token|secret[_-]?(?:access[_-]?)?key|access[_-]?key|api[_-]?key)["']?\s*[=:]\s*["']?)[^\s"'&,;}]+/#
        ) { "\($0.output.1)\(mark)" }
    }
}
