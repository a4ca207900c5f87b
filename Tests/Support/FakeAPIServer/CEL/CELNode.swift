/// A part of an expression, and where it stands.
struct CELNode: Sendable {
    indirect enum Kind: Sendable {
        case literal(CELValue)
        case ident(String)
        case select(CELNode, String, isOptional: Bool)
        case has(CELNode, String)
        case index(CELNode, CELNode, isOptional: Bool)
        case call(String, target: CELNode?, [CELNode])
        case list([(CELNode, isOptional: Bool)])
        case map([(CELNode, CELNode, isOptional: Bool)])
        case and(CELNode, CELNode)
        case or(CELNode, CELNode)
        case conditional(CELNode, CELNode, CELNode)
        case macro(Macro)
    }

    /// A loop over the elements of a list, or the keys of a map.
    struct Macro: Sendable {
        enum Name: String, Sendable {
            case all, exists, existsOne = "exists_one", filter, map, optMap, optFlatMap
        }

        var name: Name
        var range: CELNode
        /// One, or two: key or index, and value.
        var variables: [String]
        var predicate: CELNode?
        var transform: CELNode?
    }

    var kind: Kind
    /// Characters before it.
    var offset: Int
}
