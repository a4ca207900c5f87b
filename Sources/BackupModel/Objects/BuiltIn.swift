/// The names of what agents of this version bring with them; what else runs is described by `Function` objects.
public enum BuiltIn {
    /// Kinds of databases that agents know.
    ///
    /// Any other is one that a `Task` and a `Function` describe.
    public static let engines = ["mongodb"]
    /// What takes a backup or a restore.
    public static let tasks = BackupParameters.tasks + RestoreSessionSpec.tasks
    /// Stash's last step of each task, which only reports: nothing is left for it to do.
    public static let reporting = "update-status"
    /// What a step of a task may name.
    public static let functions = tasks + [reporting]

    /// Whether a name is one of these, with or without a server's version behind it (`mongodb-backup-4.2.3`).
    public static func isOne(_ name: String, of names: [String]) -> Bool {
        names.contains { name == $0 || name.hasPrefix($0 + "-") }
    }

    /// The words for names that are built in, in sentences about ones that are not.
    static func list(_ names: [String]) -> String {
        "\(names.joined(separator: ", ")), with or without a version behind (\(names[0])-6.0)"
    }
}
