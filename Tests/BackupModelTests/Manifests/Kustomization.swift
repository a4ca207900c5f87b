import Foundation
import TestSupport
import Yams

/// What a kustomization makes, as far as `manifests/` uses of kustomize: resources, components, images, JSON patches.
///
/// Anything else in a `kustomization.yaml` is an error, so that the tests don't prove what kustomize does otherwise.
struct Kustomization {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The objects, in order.
    private(set) var objects: [[String: Any]] = []

    /// Renders a directory below `manifests/`.
    init(_ name: String) throws {
        try self.init(
            directory: URL(filePath: "\(Tools.packageRoot)/manifests").appending(path: name).standardizedFileURL
        )
    }

    private init(directory: URL, applyingTo below: [[String: Any]] = []) throws {
        objects = below
        let file = directory.appending(path: "kustomization.yaml")
        guard let text = try Yams.load(yaml: String(contentsOf: file, encoding: .utf8)) as? [String: Any] else {
            throw Failure(description: "\(file.path) is no map")
        }
        let known: Set = ["apiVersion", "kind", "resources", "components", "images", "configurations", "patches"]
        if let other = text.keys.first(where: { !known.contains($0) }) {
            throw Failure(description: "\(file.path) uses \(other), which nobody here knows")
        }
        for name in text["resources"] as? [String] ?? [] {
            let place = directory.appending(path: name).standardizedFileURL
            if name.hasSuffix(".yaml") {
                objects += try Self.documents(place)
            } else {
                objects += try Kustomization(directory: place).objects
            }
        }
        for name in text["components"] as? [String] ?? [] {
            let place = directory.appending(path: name).standardizedFileURL
            objects = try Kustomization(directory: place, applyingTo: objects).objects
        }
        for patch in text["patches"] as? [[String: Any]] ?? [] { try apply(patch) }
        if let images = text["images"] as? [[String: String]] {
            let changes = Dictionary(uniqueKeysWithValues: images.map { ($0["name"] ?? "", $0) })
            objects = objects.map { Self.named($0, changes) as? [String: Any] ?? [:] }
        }
    }

    /// The documents of a file.
    static func documents(_ file: URL) throws -> [[String: Any]] {
        try Yams.load_all(yaml: String(contentsOf: file, encoding: .utf8)).map { document in
            guard let object = document as? [String: Any] else {
                throw Failure(description: "\(file.path) holds a document that is no map")
            }
            return object
        }
    }

    /// The object of a kind and name.
    func object(_ kind: String, _ name: String) throws -> [String: Any] {
        let found = objects.filter { $0["kind"] as? String == kind && Self.name($0) == name }
        guard let object = found.first, found.count == 1 else {
            throw Failure(description: "there are \(found.count) objects \(kind) \(name)")
        }
        return object
    }

    static func name(_ object: [String: Any]) -> String {
        (object["metadata"] as? [String: Any])?["name"] as? String ?? ""
    }

    /// What is compared: the object with its fields in order.
    static func text(_ object: Any) throws -> String {
        let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .fragmentsAllowed])
        return String(decoding: data, as: UTF8.self)
    }

    /// Images where they stand: `image`, and `value` of a variable (`base/images.yaml`).
    private static func named(_ node: Any, _ changes: [String: [String: String]]) -> Any {
        if let map = node as? [String: Any] {
            var result: [String: Any] = [:]
            for (key, value) in map {
                let isPlace = key == "image" || key == "value"
                let reference = isPlace ? (value as? String).flatMap { changed($0, changes) } : nil
                result[key] = reference ?? named(value, changes)
            }
            return result
        }
        return (node as? [Any])?.map { named($0, changes) } ?? node
    }

    private static func changed(_ reference: String, _ changes: [String: [String: String]]) -> String? {
        let parts = reference.split(separator: ":", maxSplits: 1).map(String.init)
        guard let name = parts.first, let change = changes[name] else { return nil }
        let tag = change["newTag"] ?? parts.dropFirst().first
        return (change["newName"] ?? name) + (tag.map { ":\($0)" } ?? "")
    }

    // MARK: Patches

    private mutating func apply(_ patch: [String: Any]) throws {
        guard let target = patch["target"] as? [String: String], let text = patch["patch"] as? String,
            let operations = try Yams.load(yaml: text) as? [[String: Any]]
        else { throw Failure(description: "a patch that isn't a list of operations with a target: \(patch)") }
        let indices = objects.indices.filter { index in
            objects[index]["kind"] as? String == target["kind"] && Self.name(objects[index]) == target["name"]
        }
        guard let index = indices.first, indices.count == 1 else {
            throw Failure(description: "\(indices.count) objects are \(target)")
        }
        var object: Any = objects[index]
        for operation in operations {
            guard let path = operation["path"] as? String, let value = operation["value"],
                let name = operation["op"] as? String
            else { throw Failure(description: "no operation: \(operation)") }
            object = try Self.changed(object, path.split(separator: "/").map(String.init)[...], name, value)
        }
        objects[index] = object as? [String: Any] ?? [:]
    }

    private static func changed(_ node: Any, _ path: ArraySlice<String>, _ name: String, _ value: Any) throws -> Any {
        guard let key = path.first else { return value }
        let rest = path.dropFirst()
        if var map = node as? [String: Any] {
            guard let child = map[key] else {
                guard rest.isEmpty, name == "add" else { throw Failure(description: "there is no \(key)") }
                map[key] = value
                return map
            }
            map[key] = try changed(child, rest, name, value)
            return map
        }
        guard var list = node as? [Any] else { throw Failure(description: "\(key) is below no map and no list") }
        if key == "-", rest.isEmpty, name == "add" { return list + [value] }
        guard let index = Int(key), list.indices.contains(index) else { throw Failure(description: "no entry \(key)") }
        list[index] = try changed(list[index], rest, name, value)
        return list
    }
}
