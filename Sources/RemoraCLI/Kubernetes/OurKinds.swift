import Kubernetes

/// Our own kinds, as the API keeps them.
enum OurKinds {
    private static let kinds = [
        "appbindings": "AppBinding", "backupconfigurations": "BackupConfiguration", "backupsessions": "BackupSession",
        "repositories": "Repository", "restoresessions": "RestoreSession", "tasks": "Task", "functions": "Function",
        "backupblueprints": "BackupBlueprint", "backupbatches": "BackupBatch",
    ]

    /// Those that live in no namespace.
    private static let ofCluster = ["tasks", "functions", "backupblueprints"]

    static func resource(_ plural: String) -> APIResource {
        APIResource(
            group: Install.group,
            version: Install.version,
            plural: plural,
            kind: kinds[plural] ?? plural,
            isNamespaced: !ofCluster.contains(plural)
        )
    }
}
