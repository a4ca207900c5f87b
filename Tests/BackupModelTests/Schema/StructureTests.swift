import BackupModel
import Foundation
import Testing

/// What an API server demands of a definition before it takes it, and what makes its rules affordable.
@Suite struct StructureTests {
    /// All nodes of a definition's spec and status.
    private func nodes(_ plural: String) throws -> [Schema] {
        let root = try Schema.definition(plural).root
        return try #require(root.properties["spec"]).all + #require(root.properties["status"]).all
    }

    @Test("every node has a type, or is left as it is", arguments: Schema.plurals)
    func isStructural(_ plural: String) throws {
        for node in try nodes(plural) {
            #expect(node.type != nil || node.isAnything, "\(node.path)")
            if node.type == "object" { #expect(node.values == nil || node.properties.isEmpty, "\(node.path)") }
            #expect(node.required.isSubset(of: node.properties.keys), "\(node.path)")
        }
    }

    // The API server reads limits as doubles and compares them as 64-bit integers: 2^63 would be the smallest one.
    @Test("limits of numbers are exact as doubles", arguments: Schema.plurals)
    func limits(_ plural: String) throws {
        for node in try nodes(plural) where node.type == "integer" {
            let maximum = try #require(node.node["maximum"] as? Int)
            #expect(
                maximum <= 1 << 53 && (maximum <= Int(Int32.max) || node.node["format"] as? String == "int64"),
                "\(node.path)"
            )
        }
    }

    @Test("what stands for an absent field is a value that the field may have", arguments: Schema.plurals)
    func defaults(_ plural: String) throws {
        for node in try nodes(plural) {
            guard let value = node.node["default"] else { continue }
            switch node.type {
            case "string":
                let text = try #require(value as? String, "\(node.path)")
                if let choices = node.choices { #expect(choices.contains(text), "\(node.path)") }
                if let pattern = node.node["pattern"] as? String {
                    #expect(text.range(of: pattern, options: .regularExpression) != nil, "\(node.path)")
                }
            case "integer":
                let number = try #require(value as? Int, "\(node.path)")
                #expect(number >= node.node["minimum"] as? Int ?? 0 && number <= node.node["maximum"] as? Int ?? 0)
            default: #expect(node.type == "boolean" && value is Bool, "\(node.path)")
            }
            #expect(!(node.node["description"] as? String ?? "").contains("Absent:"), "\(node.path) says it twice")
        }
    }

    @Test("lists by key have keys that every entry has; conditions are such a list", arguments: Schema.plurals)
    func lists(_ plural: String) throws {
        for node in try nodes(plural) where node.node["x-kubernetes-list-type"] as? String == "map" {
            let keys = try #require(node.node["x-kubernetes-list-map-keys"] as? [String], "\(node.path)")
            #expect(node.items?.required.isSuperset(of: keys) == true, "\(node.path)")
        }
        let status = try #require(try Schema.definition(plural).root.properties["status"])
        #expect(status.properties["conditions"]?.node["x-kubernetes-list-map-keys"] as? [String] == ["type"])
        #expect(status.properties["observedGeneration"] != nil)
    }

    /// Fields of these names are written with two underscores on both sides in a rule (CEL reserves the words).
    private static let reserved: Set<Substring> = [
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop", "namespace",
        "package", "return", "var", "void", "while", "true", "false", "null",
    ]

    @Test("a rule doesn't read what is left as it is, and says what is wrong", arguments: Schema.plurals)
    func rules(_ plural: String) throws {
        for node in try [Schema.definition(plural).root] + nodes(plural) {
            for rule in node.node["x-kubernetes-validations"] as? [[String: Any]] ?? [] {
                let text = try #require(rule["rule"] as? String, "\(node.path)")
                #expect(text.contains("self"), "\(node.path)")
                let words = text.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
                let fields = words.flatMap { $0.split(separator: ".").dropFirst() }
                #expect(Self.reserved.isDisjoint(with: fields), "\(node.path): \(text)")
                #expect((rule["message"] as? String)?.isEmpty == false, "\(node.path): \(text)")
                for child in node.properties.values where child.isAnything {
                    #expect(!text.contains(child.path.split(separator: ".").last ?? ""), "\(child.path)")
                }
            }
        }
    }

    @Test("columns and selectable fields are fields that there are", arguments: Schema.plurals)
    func paths(_ plural: String) throws {
        let definition = try Schema.definition(plural)
        #expect(definition.columns.count > 2)
        let leaves = definition.columns + definition.selectable
        for path in leaves where !path.hasPrefix(".metadata.") && !path.contains("[?") {
            var node: Schema? = definition.root
            for part in path.split(separator: ".") {
                let name = part.replacingOccurrences(of: "[*]", with: "")
                node = node?.properties[name]
                if name != part { node = node?.items }
            }
            let found = try #require(node, "\(plural) \(path)")
            #expect(["string", "integer", "boolean"].contains(found.type), "\(plural) \(path)")
        }
        #expect(definition.selectable.count <= 8)
    }

    @Test("short names are nobody else's")
    func shortNames() throws {
        let names = try Schema.plurals.flatMap { try Schema.definition($0).shortNames }
        #expect(Set(names).count == names.count)
        // Of Kubernetes itself.
        #expect(Set(names).isDisjoint(with: ["rs", "po", "svc", "cm", "ds", "ns", "sc", "cs", "ev", "ep", "sa", "pv"]))
    }
}
