import BackupModel
import Yams

/// Reads objects from YAML: several documents a file.
enum ObjectParser {
    /// An object and where it stands.
    struct Found {
        var object: ParsedObject
        var file: String
        var node: Node

        /// A problem with one of its fields, with the line of the field or of what should hold it.
        func problem(_ field: FieldProblem) -> ObjectProblem {
            ObjectProblem(
                file: file,
                line: ObjectParser.line(of: field.path, in: node),
                path: field.path,
                message: field.message
            )
        }
    }

    /// A kind and how it is read.
    private struct Kind: Sendable {
        var name: String
        var read: @Sendable (Node) throws(NodeDecoder.Problem) -> ParsedObject

        init<Spec: ResourceSpec>(_ make: @escaping @Sendable (Resource<Spec>) -> ParsedObject) {
            name = Spec.kind
            read = { node throws(NodeDecoder.Problem) in make(try NodeDecoder.decode(Resource<Spec>.self, from: node)) }
        }
    }

    /// The kinds that exist: the one table.
    private static let kinds = [
        Kind(ParsedObject.repository), Kind(ParsedObject.binding), Kind(ParsedObject.configuration),
        Kind(ParsedObject.backupSession), Kind(ParsedObject.restoreSession), Kind(ParsedObject.batch),
        Kind(ParsedObject.blueprint), Kind(ParsedObject.task), Kind(ParsedObject.function),
    ]

    /// Objects and problems of one file.
    static func parse(_ text: String, file: String) -> (found: [Found], problems: [ObjectProblem]) {
        var found: [Found] = []
        var problems: [ObjectProblem] = []
        do {
            // Iterated by hand: `for` would work on a copy, and the error would stay with the copy.
            var documents = try compose_all(yaml: text)
            while let node = documents.next() {
                if case .scalar(let scalar) = node, scalar.string.isEmpty { continue }
                switch read(node, file: file) {
                case .success(let object):
                    let item = Found(object: object, file: file, node: node)
                    found.append(item)
                    problems += object.problems().map(item.problem)
                case .failure(let problem):
                    problems.append(problem)
                }
            }
            if let error = documents.error { throw error }
        } catch {
            problems.append(syntaxProblem(error, file: file))
        }
        return (found, problems)
    }

    private static func read(_ node: Node, file: String) -> Result<ParsedObject, ObjectProblem> {
        let problem = { (path: String?, line: Int?, message: String) in
            ObjectProblem(file: file, line: line ?? node.mark?.line, path: path, message: message)
        }
        guard case .mapping(let mapping) = node else {
            return .failure(problem(nil, nil, "a document must be a map with apiVersion, kind, metadata and spec"))
        }
        let names = kinds.map(\.name).joined(separator: ", ")
        guard let kindNode = mapping.first(where: { $0.key.string == "kind" })?.value else {
            return .failure(problem("kind", nil, "is missing; allowed: \(names)"))
        }
        guard let kind = kindNode.string, let reader = kinds.first(where: { $0.name == kind }) else {
            let text = kindNode.string ?? "no text"
            return .failure(problem("kind", kindNode.mark?.line, "is '\(text)'; allowed: \(names)"))
        }
        do {
            return .success(try reader.read(node))
        } catch {
            return .failure(problem(error.path, error.line, error.message))
        }
    }

    private static func syntaxProblem(_ error: any Error, file: String) -> ObjectProblem {
        switch error {
        case YamlError.scanner(_, let text, let mark, _), YamlError.parser(_, let text, let mark, _),
            YamlError.composer(_, let text, let mark, _):
            ObjectProblem(file: file, line: mark.line, path: nil, message: "this is not YAML: \(text)")
        case YamlError.duplicatedKeysInMapping(let keys, let context):
            ObjectProblem(
                file: file,
                line: context.mark.line,
                path: nil,
                message: "the same field is given twice: \(keys.joined(separator: ", "))"
            )
        case YamlError.reader(let text, _, _, _):
            ObjectProblem(file: file, line: nil, path: nil, message: "this is not YAML: \(text)")
        default:
            ObjectProblem(file: file, line: nil, path: nil, message: "this is not YAML: \(error)")
        }
    }

    /// The line where a document begins.
    static func firstLine(of item: Found) -> Int { item.node.mark?.line ?? 1 }

    /// The line of a field, or of the nearest thing around it that exists.
    static func line(of path: String, in root: Node) -> Int? {
        var node = root
        var line = root.mark?.line
        for part in path.split(separator: ".") {
            let pieces = part.split(separator: "[")
            guard let name = pieces.first, case .mapping(let mapping) = node,
                let entry = mapping.first(where: { $0.key.string == String(name) })
            else { return line }
            line = entry.key.mark?.line ?? line
            node = entry.value
            for piece in pieces.dropFirst() {
                guard let index = Int(piece.dropLast()), case .sequence(let list) = node, index < list.count else {
                    return line
                }
                node = list[index]
                line = node.mark?.line ?? line
            }
        }
        return line
    }
}
