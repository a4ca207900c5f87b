import Foundation
import Kubernetes

/// Reads the binary form of objects, in which kubectl sends what it makes itself: reviews of its own rights, requests of
/// tokens, and the simple ones of `kubectl create`.
///
/// Source: the `generated.proto` of `v1`, `authorization.k8s.io/v1` and `authentication.k8s.io/v1`, and `runtime.Unknown`.
enum Protobuf {
    static let mediaType = "application/vnd.kubernetes.protobuf"

    private indirect enum Shape: Sendable {
        case text
        case integer
        case texts
        /// From texts to texts, or to bytes, which JSON has in base64.
        case map(isBinary: Bool)
        case message([UInt64: (name: String, shape: Shape)])
    }

    private static let metadata = Shape.message([
        1: ("name", .text), 2: ("generateName", .text), 3: ("namespace", .text), 11: ("labels", .map(isBinary: false)),
        12: ("annotations", .map(isBinary: false)),
    ])

    private static func object(_ spec: Shape) -> Shape {
        .message([1: ("metadata", metadata), 2: ("spec", spec)])
    }

    private static let kinds: [String: Shape] = [
        "Namespace": .message([1: ("metadata", metadata)]), "ServiceAccount": .message([1: ("metadata", metadata)]),
        "ConfigMap": .message([
            1: ("metadata", metadata), 2: ("data", .map(isBinary: false)), 3: ("binaryData", .map(isBinary: true)),
        ]),
        "Secret": .message([1: ("metadata", metadata), 2: ("data", .map(isBinary: true)), 3: ("type", .text)]),
        "SelfSubjectReview": .message([1: ("metadata", metadata)]),
        "SelfSubjectRulesReview": object(.message([1: ("namespace", .text)])),
        "SelfSubjectAccessReview": object(
            .message([
                1: (
                    "resourceAttributes",
                    .message([
                        1: ("namespace", .text), 2: ("verb", .text), 3: ("group", .text), 4: ("version", .text),
                        5: ("resource", .text), 6: ("subresource", .text), 7: ("name", .text),
                    ])
                ), 2: ("nonResourceAttributes", .message([1: ("path", .text), 2: ("verb", .text)])),
            ])
        ),
        "TokenRequest": object(
            .message([
                1: ("audiences", .texts),
                3: (
                    "boundObjectRef",
                    .message([1: ("kind", .text), 2: ("apiVersion", .text), 3: ("name", .text), 4: ("uid", .text)])
                ), 4: ("expirationSeconds", .integer),
            ])
        ),
    ]

    private static let envelope = Shape.message([
        1: ("type", .message([1: ("apiVersion", .text), 2: ("kind", .text)])), 2: ("raw", .text),
    ])

    /// The object as a tree; nil for a kind that isn't read here.
    ///
    /// - Throws: ``APIError`` 400.
    static func tree(_ body: [UInt8]) throws -> JSONTree? {
        guard body.starts(with: [0x6B, 0x38, 0x73, 0x00]) else {
            throw APIError.badRequest(
                "provided data does not appear to be a protobuf message, expected prefix \"k8s\\0\""
            )
        }
        var raw: ArraySlice<UInt8> = []
        let outer = try message(body.dropFirst(4), envelope) { number, bytes in if number == 2 { raw = bytes } }
        guard let kind = outer["type"]?["kind"]?.string, let shape = kinds[kind] else { return nil }
        var tree = try message(raw, shape)
        tree["apiVersion"] = outer["type"]?["apiVersion"]
        tree["kind"] = .string(kind)
        return tree
    }

    private static func message(
        _ bytes: ArraySlice<UInt8>,
        _ shape: Shape,
        seen: (UInt64, ArraySlice<UInt8>) -> Void = { _, _ in }
    ) throws -> JSONTree {
        guard case .message(let fields) = shape else { return .null }
        var tree: JSONTree = [:]
        var rest = bytes
        while !rest.isEmpty {
            let key = try number(&rest)
            let field = fields[key >> 3]
            switch key & 7 {
            case 0:
                let value = try number(&rest)
                if let field { tree[field.name] = .integer(Int64(bitPattern: value)) }
            case 2:
                let count = try number(&rest)
                guard count <= UInt64(rest.count) else { throw broken }
                let part = rest.prefix(Int(count))
                rest = rest.dropFirst(Int(count))
                seen(key >> 3, part)
                if let field { try add(part, field, to: &tree) }
            default: throw broken
            }
        }
        return tree
    }

    private static func add(
        _ bytes: ArraySlice<UInt8>,
        _ field: (name: String, shape: Shape),
        to tree: inout JSONTree
    ) throws {
        switch field.shape {
        // What is empty is written all the same, and means that nothing was given.
        case .text: if !bytes.isEmpty { tree[field.name] = .string(String(decoding: bytes, as: UTF8.self)) }
        case .texts:
            tree[field.name] = .array(
                (tree[field.name]?.array ?? []) + [.string(String(decoding: bytes, as: UTF8.self))]
            )
        case .map(let isBinary):
            var value: ArraySlice<UInt8> = []
            let entry = try message(bytes, .message([1: ("key", .text)])) { number, bytes in
                if number == 2 { value = bytes }
            }
            var map = tree[field.name] ?? [:]
            map[entry["key"]?.string ?? ""] = .string(
                isBinary ? Data(value).base64EncodedString() : String(decoding: value, as: UTF8.self)
            )
            tree[field.name] = map
        case .message: tree[field.name] = try message(bytes, field.shape)
        case .integer: throw broken
        }
    }

    private static func number(_ rest: inout ArraySlice<UInt8>) throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw broken }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw broken
    }

    private static var broken: APIError { .badRequest("the protobuf message can't be read") }
}
