import ArgumentParser
import BackupModel

/// What to restore and what to do with what is there: shared by `restore` and `repo restore`.
struct SelectionOptions: ParsableArguments {
    @Flag(help: "Drop the collections that the backup has before they are restored; others stay.")
    var drop = false

    @Option(
        help: ArgumentHelp("Only these collections: shop.orders, shop.*; may be given again.", valueName: "pattern")
    )
    var include: [String] = []

    @Option(help: ArgumentHelp("Not these collections; may be given again.", valueName: "pattern"))
    var exclude: [String] = []

    @Option(help: ArgumentHelp("Under another name: 'shop.*=old_shop.*'; may be given again.", valueName: "from=to"))
    var rename: [String] = []

    @Flag(help: "Leave users and roles as they are.")
    var noUsers = false

    var conflict: RestoreSpec.Conflict { drop ? .dropCollections : .failIfNotEmpty }

    var isEverything: Bool { include.isEmpty && exclude.isEmpty && rename.isEmpty }

    func validate() throws {
        for pattern in include + exclude where pattern.isEmpty {
            throw ValidationError("a pattern of --include or --exclude is empty.")
        }
        _ = try renames()
    }

    /// `--rename`, parsed.
    func renames() throws -> [NamespaceSelection.Rename] {
        try rename.map { text in
            let parts = text.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw ValidationError("'\(text)' is no rename; it looks like 'shop.*=old_shop.*'.")
            }
            return NamespaceSelection.Rename(from: String(parts[0]), to: String(parts[1]))
        }
    }

    func selection() throws -> NamespaceSelection {
        NamespaceSelection(include: include, exclude: exclude, renames: try renames())
    }
}
