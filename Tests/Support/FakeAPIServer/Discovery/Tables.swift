import Foundation
import Kubernetes

/// Answers for `kubectl get`.
enum Tables {
    static func table(_ objects: [JSONTree], _ type: ResourceType, _ metadata: JSONTree, _ query: Query) -> JSONTree {
        let columns = columns(type)
        let definitions = columns.map { column -> JSONTree in
            [
                "name": .string(column.name), "type": .string(column.type == "date" ? "string" : column.type),
                "format": .string(column.format), "description": .string(column.description),
                "priority": .integer(Int64(column.priority)),
            ]
        }
        let rows = objects.map { object -> JSONTree in
            let shown: JSONTree? =
                switch query["includeObject"] ?? "Metadata" {
                case "None": nil
                case "Object": object
                default: ServerCore.partial(object)
                }
            var row: JSONTree = ["cells": .array(columns.map { cell($0, object) })]
            if let shown { row["object"] = shown }
            return row
        }
        return [
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": .array(definitions), "rows": .array(rows),
        ]
    }

    private static let age = ResourceType.PrinterColumn(name: "Age", type: "date", path: ".metadata.creationTimestamp")

    private static func columns(_ type: ResourceType) -> [ResourceType.PrinterColumn] {
        let name = ResourceType.PrinterColumn(name: "Name", type: "string", format: "name", path: ".metadata.name")
        return [name] + (type.columns.isEmpty ? builtin[type.resource] ?? [age] : type.columns)
    }

    private static let builtin: [String: [ResourceType.PrinterColumn]] = [
        "pods": [
            .init(name: "Status", type: "string", path: ".status.phase"), age,
            .init(name: "Node", type: "string", priority: 1, path: ".spec.nodeName"),
        ],
        "namespaces": [.init(name: "Status", type: "string", path: ".status.phase"), age],
        "secrets": [.init(name: "Type", type: "string", path: ".type"), age],
        "services": [
            .init(name: "Type", type: "string", path: ".spec.type"),
            .init(name: "Cluster-IP", type: "string", path: ".spec.clusterIP"), age,
        ],
        "leases": [.init(name: "Holder", type: "string", path: ".spec.holderIdentity"), age],
        "customresourcedefinitions": [.init(name: "Created At", type: "date", path: ".metadata.creationTimestamp")],
        "events": [
            .init(name: "Type", type: "string", path: ".type"), .init(name: "Reason", type: "string", path: ".reason"),
            .init(name: "Message", type: "string", path: ".message"),
        ],
    ]

    private static func cell(_ column: ResourceType.PrinterColumn, _ object: JSONTree) -> JSONTree {
        guard let value = JSONPath(column.path)?.values(in: object).first else { return .null }
        guard column.type == "date" else { return value }
        guard let date = value.string.flatMap(Times.parse) else { return "<invalid>" }
        return .string(age(Int(Date().timeIntervalSince(date))))
    }

    /// A time that has passed, as short as people read it; one that is yet to come has no such text.
    static func age(_ seconds: Int) -> String {
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400)
        func text(_ large: Int, _ unit: String, _ small: Int, _ smaller: String) -> String {
            small == 0 ? "\(large)\(unit)" : "\(large)\(unit)\(small)\(smaller)"
        }
        return switch seconds {
        case ..<(-1): "<invalid>"
        case ..<120: "\(max(0, seconds))s"
        case ..<600: text(minutes, "m", seconds % 60, "s")
        case ..<10_800: "\(minutes)m"
        case ..<28_800: text(hours, "h", minutes % 60, "m")
        case ..<172_800: "\(hours)h"
        case ..<691_200: text(days, "d", hours % 24, "h")
        case ..<63_072_000: "\(days)d"
        case ..<252_288_000: text(days / 365, "y", days % 365, "d")
        default: "\(days / 365)y"
        }
    }
}
