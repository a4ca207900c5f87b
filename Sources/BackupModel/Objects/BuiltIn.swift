/// The names of what agents of this version bring with them: the only tasks and functions that run.
public enum BuiltIn {
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

    /// The sentence for a name that is none of these.
    static func refusal(_ name: String, allowed: [String]) -> String {
        "is '\(name)', which this version doesn't run: agents run only what is built in; allowed: "
            + "\(allowed.joined(separator: ", ")), with or without a version behind (\(allowed[0])-6.0)"
    }
}
