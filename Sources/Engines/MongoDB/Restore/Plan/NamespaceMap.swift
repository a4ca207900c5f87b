import BackupModel

/// Where each namespace of a backup goes: selected or not, and under which name.
///
/// Selection and renames speak of the names people know: the buckets of a time-series collection follow it.
struct NamespaceMap: Sendable {
    /// Whether it takes everything under its own name.
    let isEverything: Bool
    /// Whether any rename was asked for.
    let hasRenames: Bool
    private let include: [NamespacePattern]
    private let exclude: [NamespacePattern]
    private let renames: [(from: NamespacePattern, to: NamespacePattern)]
    /// What goes elsewhere whatever was asked for.
    private let moves: [Namespace: Namespace]

    /// Reads a selection.
    ///
    /// - Parameters:
    ///   - selection: what was asked for.
    ///   - moves: what goes elsewhere whatever was asked for, collections of the server's own too.
    /// - Throws: `RestoreFailure` with the pattern that can't be understood.
    init(_ selection: NamespaceSelection, moves: [Namespace: Namespace] = [:]) throws {
        isEverything = selection.isEverything
        hasRenames = !selection.renames.isEmpty || !moves.isEmpty
        self.moves = moves
        include = try selection.include.map { try Self.pattern($0, in: "include") }
        exclude = try selection.exclude.map { try Self.pattern($0, in: "exclude") }
        renames = try selection.renames.map { rename in
            let from = try Self.pattern(rename.from, in: "renames")
            let to = try Self.pattern(rename.to, in: "renames")
            guard from.wildcards == to.wildcards else {
                throw RestoreFailure.badSelection(
                    "the rename of \(rename.from) to \(rename.to) has \(from.wildcards) * on one side and "
                        + "\(to.wildcards) on the other: each * on the left needs one on the right"
                )
            }
            return (from, to)
        }
    }

    /// Whether the backup's namespace is to be restored.
    func selects(_ namespace: Namespace) -> Bool {
        if include.isEmpty && exclude.isEmpty { return true }
        let name = namespace.known.description
        guard include.isEmpty || include.contains(where: { $0.matches(name) }) else { return false }
        return !exclude.contains { $0.matches(name) }
    }

    /// The namespace's name in the target; nil when a rename makes a name without a dot.
    func target(of namespace: Namespace) -> Namespace? {
        guard hasRenames else { return namespace }
        if let moved = moves[namespace] { return moved }
        let known = namespace.known
        let name = known.description
        for rename in renames {
            guard let captures = rename.from.captures(in: name) else { continue }
            guard let renamed = Namespace(rename.to.filled(with: captures)) else { return nil }
            return namespace == known ? renamed : renamed.buckets
        }
        return namespace
    }

    /// Whether it goes elsewhere although nobody asked for it.
    func moves(_ namespace: Namespace) -> Bool { moves[namespace] != nil }

    private static func pattern(_ text: String, in place: String) throws -> NamespacePattern {
        guard text == "*" || (text.contains(".") && text.first != "." && text.last != ".") else {
            throw RestoreFailure.badSelection(
                "the pattern \"\(text)\" in \(place) names no collection: write database.collection, or "
                    + "database.* for a whole database"
            )
        }
        return NamespacePattern(text)
    }
}
