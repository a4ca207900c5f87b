import BackupModel
import Yams

/// What Stash's objects for many targets become: batches, and blueprints with their annotations.
extension StashKind {
    // MARK: BackupBatch, RestoreBatch

    static var batchRules: [String: StashFields.Rule] {
        let shared = configurationRules.filter { $0.key != "task" && $0.key != "target" }
        return shared.merging(["executionOrder": .keep, "members": .by(members)]) { $1 }
    }

    static var restoreBatchRules: [String: StashFields.Rule] {
        [
            "members": .silently, "repository": .into(["name": .keep, "namespace": .keep]), "timeOut": .keep,
            "driver": .silently, "hooks": hooks, "runtimeSettings": besides,
            "executionOrder": .by { fields, node, path in
                if node.string == "Sequential" {
                    fields.remark(
                        node,
                        "\(path) is not carried over: each member is a RestoreSession, apply one after another"
                    )
                }
                return nil
            },
        ]
    }

    static var restoreMemberRules: [String: StashFields.Rule] {
        restoreRules.filter { $0.key != "repository" && $0.key != "timeOut" && $0.key != "driver" }
    }

    private static var memberRules: [String: StashFields.Rule] {
        [
            "task": .by(task), "target": .into(targetRules), "hooks": hooks, "runtimeSettings": besides,
            "tempDir": streams, "interimVolumeTemplate": streams,
        ]
    }

    /// The members that are databases; Stash has the alias in the target, we beside it.
    private static func members(_ fields: StashFields, _ list: Node, _ path: String) -> Node {
        var kept: [Node] = []
        for (index, member) in list.elements.enumerated() {
            let place = "\(path)[\(index)]"
            if let reason = reasonAgainst(member: member) {
                fields.remark(member, "\(place) is left out: \(reason)")
                continue
            }
            let alias = member.field("target")?.field("alias").map { [("alias", $0)] } ?? []
            kept.append(.fields(fields.convert(member, at: place, memberRules).pairs + alias))
        }
        return .sequence(Node.Sequence(kept))
    }

    /// Why a member can't be carried over.
    static func reasonAgainst(member: Node) -> String? {
        guard let target = member.field("target")?.field("ref")?.field("kind")?.string, target != "AppBinding" else {
            return nil
        }
        return "its target is a \(target); Remora backs up databases, which an AppBinding describes"
    }

    /// What tells a member from others: its alias, else its target's name.
    static func name(of member: Node) -> String? {
        let target = member.field("target")
        return (target?.field("alias") ?? target?.field("ref")?.field("name"))?.string
    }

    // MARK: BackupBlueprint

    static var blueprintRules: [String: StashFields.Rule] {
        let shared = configurationRules.filter { !["repository", "target", "paused", "driver"].contains($0.key) }
        return shared.merging(repositoryRules) { $1 }.merging([
            "repoNamespace": .keep,
            "backupNamespace": .drop("a BackupConfiguration is made in its target's namespace"),
        ]) { $1 }
    }

    /// Annotations by which a blueprint is asked for, and the rest as it is.
    static func annotations(_ fields: StashFields, _ node: Node, _ path: String) -> Node? {
        var kept: [(String, Node)] = []
        for (name, value) in node.pairs {
            switch name {
            case "kubectl.kubernetes.io/last-applied-configuration": break
            case "stash.appscode.com/backup-blueprint": kept.append((BackupBlueprintSpec.annotation, value))
            case "stash.appscode.com/schedule": kept.append((BackupBlueprintSpec.scheduleAnnotation, value))
            case _ where name.hasPrefix("params.stash.appscode.com/"):
                let parameter = String(name.dropFirst("params.stash.appscode.com/".count))
                if TaskParameter(rawValue: parameter) != nil {
                    kept.append((BackupBlueprintSpec.parameterAnnotations + parameter, value))
                } else {
                    let known = TaskParameter.allCases.map(\.rawValue).sorted().joined(separator: ", ")
                    fields.remark(value, "\(path) \(name) is not carried over: parameters are \(known)")
                }
            default: kept.append((name, value))
            }
        }
        return kept.isEmpty ? nil : .fields(kept)
    }

    // MARK: Task, Function

    /// Of a task or function that isn't built in: the sentence that says what it means.
    func foreignName(_ node: Node) -> String? {
        guard self == .task || self == .function, let name = node.field("metadata")?.field("name")?.string,
            !BuiltIn.isOne(name, of: BuiltIn.functions)
        else { return nil }
        return
            "agents of this version run only \(BuiltIn.tasks.joined(separator: " and ")), and what names it can't be "
            + "carried over"
    }
}
