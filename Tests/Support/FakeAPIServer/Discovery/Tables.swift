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
        guard let value = JSONPath(column.path)?.values(in: object).first else {
            return column.type == "date" ? "<unknown>" : .null
        }
        guard column.type == "date", let date = value.string.flatMap(Times.parse) else { return value }
        let seconds = Int(Date().timeIntervalSince(date))
        return .string(
            seconds < 120
                ? "\(max(0, seconds))s"
                : seconds < 7200 ? "\(seconds / 60)m" : seconds < 172_800 ? "\(seconds / 3600)h" : "\(seconds / 86400)d"
        )
    }
}
