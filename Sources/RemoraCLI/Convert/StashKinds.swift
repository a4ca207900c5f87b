import BackupModel
import Yams

/// What Stash's objects become, kind by kind: field by field, or the sentence why they become nothing.
///
/// Field names: stash.appscode.com/v1alpha1 (Repository) and v1beta1, appcatalog.appscode.com/v1alpha1 (AppBinding), as of
/// their last public versions.
enum StashKind: String, CaseIterable {
    case repository = "Repository"
    case configuration = "BackupConfiguration"
    case restore = "RestoreSession"
    case binding = "AppBinding"
    case session = "BackupSession"
    case batch = "BackupBatch"
    case restoreBatch = "RestoreBatch"
    case blueprint = "BackupBlueprint"
    case function = "Function"
    case task = "Task"

    /// Why nothing of a kind is carried over; nil for what is converted.
    var reasonForNothing: String? {
        switch self {
        case .repository, .configuration, .restore, .binding, .batch, .restoreBatch, .blueprint: nil
        case .session: "it is a run that was, and its backup stays in Stash's repository"
        case .function, .task:
            "agents bring what they run with them, so a BackupConfiguration needs neither Task nor Function"
        }
    }

    /// The spec in Remora's terms.
    func convert(_ spec: Node, _ fields: StashFields) -> Node {
        switch self {
        case .repository: fields.convert(spec, at: "spec", Self.repositoryRules)
        case .configuration: fields.convert(spec, at: "spec", Self.configurationRules)
        case .restore: fields.convert(spec, at: "spec", Self.restoreRules)
        case .binding: fields.convert(spec, at: "spec", Self.bindingRules)
        case .batch: fields.convert(spec, at: "spec", Self.batchRules)
        case .blueprint: fields.convert(spec, at: "spec", Self.blueprintRules)
        // A restore of several targets becomes several objects (`StashConverter`); the others become none.
        case .restoreBatch, .session, .function, .task: spec
        }
    }

    // MARK: Repository

    static var repositoryRules: [String: StashFields.Rule] {
        let noStorage = StashFields.Rule.drop("this kind of storage is not supported yet; local and s3 are")
        return [
            "backend": .into(
                [
                    "storageSecretName": .keep,
                    "local": .by(local),
                    "s3": .into([:].with(["endpoint", "bucket", "prefix", "region", "insecureTLS"], .keep)),
                ].with(["gcs", "azure", "swift", "b2", "rest"], noStorage)
            ),
            "wipeOut": .by { fields, node, path in
                if node.bool == true {
                    fields.remark(node, "\(path) is not carried over: backups are never deleted with their Repository")
                }
                return nil
            },
            "usagePolicy": .into([
                "allowedNamespaces": .into([
                    "from": .keep,
                    "selector": .into(["matchLabels": .keep, "matchExpressions": .keep]),
                ])
            ]),
        ]
    }

    private static func local(_ fields: StashFields, _ node: Node, _ path: String) -> Node {
        let volume = StashFields.Rule.drop(
            "mount that volume at the same path into the coordinator's pod and beside every agent"
        )
        let volumes = [
            "hostPath", "persistentVolumeClaim", "nfs", "emptyDir", "csi", "iscsi", "cephfs", "rbd", "glusterfs",
        ]
        return fields.convert(
            node,
            at: path,
            ["mountPath": .keep, "subPath": .keep].with(volumes, volume)
        )
    }

    // MARK: BackupConfiguration

    static let hooks = StashFields.Rule.drop("hooks are not run yet, so what they did has to be done elsewhere")
    static let streams = StashFields.Rule.drop("nothing is staged, everything streams")
    static let besides = StashFields.Rule.drop(
        "agents run beside their database, with the resources its pod says"
    )

    static var configurationRules: [String: StashFields.Rule] {
        [
            "schedule": .keep, "paused": .keep, "backupHistoryLimit": .keep, "timeOut": .keep,
            "driver": .keep, "retryConfig": .into(["maxRetry": .keep, "delay": .keep]),
            "repository": .into(["name": .keep, "namespace": .keep]),
            "task": .by(task),
            "target": .into(targetRules),
            "retentionPolicy": .into(
                [
                    "keepTags": .drop("backups have no tags")
                ].with(
                    [
                        "name", "keepLast", "keepHourly", "keepDaily", "keepWeekly", "keepMonthly", "keepYearly",
                        "prune", "dryRun",
                    ],
                    .keep
                )
            ),
            "runtimeSettings": besides, "tempDir": streams, "interimVolumeTemplate": streams, "hooks": hooks,
        ]
    }

    static var targetRules: [String: StashFields.Rule] {
        [
            // The AppBinding becomes one of ours, so it is the one that is meant.
            "ref": .into(["apiVersion": .silently, "kind": .keep, "name": .keep, "namespace": .keep]),
            "alias": .silently,
            "rules": .by(rules),
            "args": .drop(
                "a database is read by the agent itself; task parameters include and exclude choose collections"
            ),
        ].with(
            ["paths", "volumeMounts", "replicas", "snapshotClassName", "exclude", "volumeClaimTemplates"],
            .drop("it is for volumes and files, not for databases")
        )
    }

    static func task(_ fields: StashFields, _ node: Node, _ path: String) -> Node {
        let known = Set(TaskParameter.allCases.map(\.rawValue))
        return fields.convert(
            node,
            at: path,
            [
                "name": .keep,
                "params": .by { fields, list, place in
                    let kept = list.elements.filter { parameter in
                        let name = parameter.field("name")?.string ?? ""
                        if known.contains(name) { return true }
                        fields.remark(
                            parameter,
                            "\(place) \(name) is not carried over: parameters are \(known.sorted().joined(separator: ", "))"
                        )
                        return false
                    }
                    return kept.isEmpty ? nil : .sequence(Node.Sequence(kept))
                },
            ]
        )
    }

    // MARK: RestoreSession

    static var restoreRules: [String: StashFields.Rule] {
        [
            "repository": .into(["name": .keep, "namespace": .keep]),
            "task": .by(task),
            "target": .into(targetRules),
            "rules": .by(rules),
            "timeOut": .keep, "driver": .silently,
            "runtimeSettings": besides, "tempDir": streams, "interimVolumeTemplate": streams, "hooks": hooks,
        ]
    }

    /// Of Stash's rules only `latest` means anything to Remora: its ids name backups in Stash's own repositories.
    private static func rules(_ fields: StashFields, _ node: Node, _ path: String) -> Node? {
        for (index, rule) in node.elements.enumerated() {
            _ = fields.convert(
                rule,
                at: "\(path)[\(index)]",
                [
                    "snapshots": .by { fields, list, place in
                        for snapshot in list.elements where snapshot.string != "latest" {
                            fields.remark(
                                snapshot,
                                "\(place) \(snapshot.string ?? "") is not carried over: it is a backup of Stash's; "
                                    + "the latest one of Remora is meant now"
                            )
                        }
                        return nil
                    }
                ].with(
                    ["targetHosts", "sourceHost"],
                    .drop("which group goes where is said by spec.groups")
                ).with(["paths", "include", "exclude"], .drop("say collections in spec.include and spec.exclude"))
            )
        }
        return nil
    }

    // MARK: AppBinding

    private static var bindingRules: [String: StashFields.Rule] {
        [
            "type": .keep, "version": .keep, "parameters": .keep,
            "secret": .into(["name": .keep]), "tlsSecret": .into(["name": .keep]),
            "clientConfig": .into(
                [
                    "service": .into([:].with(["scheme", "namespace", "name", "port", "path", "query"], .keep))
                ].with(["url", "insecureSkipTLSVerify", "caBundle", "serverName"], .keep)
            ),
            "appRef": .drop("it refers to another operator's object"),
            "secretTransforms": .drop("the secret needs the keys username and password"),
        ]
    }
}
