import Foundation
import TestSupport
import Yams

/// A node of a CustomResourceDefinition's schema.
struct Schema {
    let node: [String: Any]
    let path: String

    /// The parts of a definition that tests look at.
    struct Definition {
        var kind: String
        var apiVersion: String
        var scope: String?
        var root: Schema
        var shortNames: [String]
        var columns: [String]
        var selectable: [String]
    }

    /// Reads `manifests/crds/NAME.yaml`.
    static func definition(_ name: String) throws -> Definition {
        let text = try String(contentsOfFile: "\(Tools.packageRoot)/manifests/crds/\(name).yaml", encoding: .utf8)
        let object = try Yams.load(yaml: text) as? [String: Any]
        let spec = object?["spec"] as? [String: Any]
        let version = (spec?["versions"] as? [[String: Any]])?.first
        guard let kind = (spec?["names"] as? [String: Any])?["kind"] as? String,
            let group = spec?["group"] as? String, let versionName = version?["name"] as? String,
            let schema = (version?["schema"] as? [String: Any])?["openAPIV3Schema"] as? [String: Any]
        else { throw CocoaError(.fileReadCorruptFile) }
        return Definition(
            kind: kind,
            apiVersion: "\(group)/\(versionName)",
            scope: spec?["scope"] as? String,
            root: Schema(node: schema, path: kind),
            shortNames: (spec?["names"] as? [String: Any])?["shortNames"] as? [String] ?? [],
            columns: paths("additionalPrinterColumns", version),
            selectable: paths("selectableFields", version)
        )
    }

    private static func paths(_ name: String, _ version: [String: Any]?) -> [String] {
        (version?[name] as? [[String: Any]] ?? []).compactMap { $0["jsonPath"] as? String }
    }

    /// The definitions that there are.
    static let plurals = [
        "repositories", "appbindings", "backupconfigurations", "backupsessions", "restoresessions", "backupbatches",
        "backupblueprints", "tasks", "functions",
    ]

    var type: String? { node["type"] as? String }
    var choices: Set<String>? { (node["enum"] as? [String]).map(Set.init) }
    var required: Set<String> { Set(node["required"] as? [String] ?? []) }
    var isAnything: Bool { node["x-kubernetes-preserve-unknown-fields"] as? Bool == true }
    var items: Schema? { child("items", "[]") }
    var values: Schema? { child("additionalProperties", "{}") }

    var properties: [String: Schema] {
        let all = node["properties"] as? [String: [String: Any]] ?? [:]
        return Dictionary(uniqueKeysWithValues: all.map { ($0.key, Schema(node: $0.value, path: "\(path).\($0.key)")) })
    }

    private func child(_ key: String, _ suffix: String) -> Schema? {
        (node[key] as? [String: Any]).map { Schema(node: $0, path: path + suffix) }
    }

    /// All nodes, this one first.
    var all: [Schema] {
        [self] + ([items, values].compactMap { $0 } + properties.values).flatMap(\.all)
    }

    /// What the schema has otherwise than a Swift type, a sentence each.
    func differences(from shape: Shape) -> [String] {
        switch shape {
        case .text where type == "string", .integer where type == "integer", .number where type == "number",
            .boolean where type == "boolean", .anything where isAnything:
            return []
        case .time where type == "string" && node["format"] as? String == "date-time": return []
        case .duration where type == "string" && node["pattern"] != nil: return []
        case .choice(let names) where type == "string":
            return choices == names
                ? [] : ["\(path) allows \((choices ?? []).sorted()), the type \(names.sorted())"]
        case .list(let element) where type == "array":
            return items?.differences(from: element) ?? ["\(path) has no items"]
        case .map(let element) where type == "object":
            return values?.differences(from: element) ?? ["\(path) has no additionalProperties"]
        case .object(let fields) where type == "object":
            return differences(from: fields)
        default:
            return ["\(path) is \(type ?? "anything"), the type \(shape)"]
        }
    }

    private func differences(from fields: [String: Shape.Field]) -> [String] {
        var found: [String] = []
        for name in Set(fields.keys).union(properties.keys).sorted() {
            guard let field = fields[name] else {
                found.append("\(path).\(name) is in the schema only")
                continue
            }
            guard let property = properties[name] else {
                found.append("\(path).\(name) is in the type only")
                continue
            }
            if required.contains(name) != field.isRequired {
                found.append("\(path).\(name) is \(field.isRequired ? "" : "not ")required by the type only")
            }
            found += property.differences(from: field.shape)
        }
        return found
    }
}
