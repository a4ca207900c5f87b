import Yams

/// Something that could not be carried over, or that a person must know about it.
struct ConversionRemark: Sendable, Hashable, CustomStringConvertible {
    /// The line it is about, counted from 1.
    var line: Int
    /// Kind and name of the object.
    var object: String
    /// One sentence, which begins with the field where there is one.
    var message: String

    var description: String { "line \(line): \(object): \(message)" }
}

/// One object of Stash while it is taken apart: what nobody takes is told.
///
/// Fields are named by their path in the object. Not thread-safe; lives as long as one object's conversion.
final class StashFields {
    let object: String
    private(set) var remarks: [ConversionRemark] = []

    init(object: String) { self.object = object }

    /// Says something about a node.
    func remark(_ node: Node, _ message: String) {
        remarks.append(ConversionRemark(line: node.mark?.line ?? 1, object: object, message: message))
    }

    /// Takes a mapping apart: `rules` says of every known field what becomes of it.
    ///
    /// - Parameters:
    ///   - node: the mapping.
    ///   - path: its path, for remarks.
    ///   - rules: by field. The result's order is that of the source.
    /// - Returns: what the mapping becomes.
    func convert(_ node: Node, at path: String, _ rules: [String: Rule]) -> Node {
        guard case .mapping(let mapping) = node else {
            remark(node, "\(path) is no mapping and is left out")
            return Node.mapping(Node.Mapping([]))
        }
        var pairs: [(Node, Node)] = []
        for (key, value) in mapping {
            guard let name = key.string else { continue }
            let place = "\(path).\(name)"
            switch rules[name] {
            case .keep: pairs.append((key, value))
            case .silently: break
            case .drop(let why): remark(key, "\(place) is not carried over: \(why)")
            case .into(let nested): pairs.append((key, convert(value, at: place, nested)))
            case .by(let body): if let value = body(self, value, place) { pairs.append((key, value)) }
            case nil: remark(key, "\(place) is not carried over: it is not known")
            }
        }
        return Node.mapping(Node.Mapping(pairs))
    }

    /// What becomes of a field.
    enum Rule: Sendable {
        case keep
        /// Left out, and nobody misses it.
        case silently
        /// Left out, with the reason.
        case drop(String)
        case into([String: Rule])
        /// Whatever a function makes of it; nil leaves it out.
        case by(@Sendable (_ fields: StashFields, _ value: Node, _ path: String) -> Node?)
    }
}

extension [String: StashFields.Rule] {
    /// These rules, and one for all of these fields.
    func with(_ names: [String], _ rule: StashFields.Rule) -> Self {
        merging(names.map { ($0, rule) }) { $1 }
    }
}

extension Node {
    /// A mapping from these pairs, in their order.
    static func fields(_ pairs: [(String, Node)]) -> Node {
        .mapping(Mapping(pairs.map { (Node($0.0), $0.1) }))
    }

    /// The value of a field in a mapping.
    func field(_ name: String) -> Node? {
        guard case .mapping(let mapping) = self else { return nil }
        return mapping.first { $0.key.string.map { $0.utf8.elementsEqual(name.utf8) } ?? false }?.value
    }

    /// The fields of a mapping in their order; empty when it is none.
    var pairs: [(String, Node)] {
        guard case .mapping(let mapping) = self else { return [] }
        return mapping.compactMap { pair in pair.key.string.map { ($0, pair.value) } }
    }

    /// The mapping with another value of a field; as it is without one.
    func with(_ name: String, _ value: Node?) -> Node {
        guard let value else { return self }
        let others = pairs.filter { $0.0 != name }
        return .fields([(name, value)] + others)
    }

    /// The values of a list; empty when it is none.
    var elements: [Node] {
        guard case .sequence(let list) = self else { return [] }
        return Array(list)
    }
}
