import BackupModel
import Yams

/// Turns Stash's objects into Remora's: what a file becomes, and everything that it could not be carried over.
struct StashConverter {
    /// Remora's objects, in the order of the source.
    private(set) var objects: [Node] = []
    private(set) var remarks: [ConversionRemark] = []
    /// Objects that people need and that nothing became of.
    private(set) var lost = 0

    /// A text that isn't YAML: where and why.
    struct SyntaxProblem: Error, CustomStringConvertible {
        var line: Int
        var message: String
        var description: String { "line \(line): \(message)" }
    }

    /// Converts all documents of a text.
    ///
    /// - Throws: ``SyntaxProblem``; nothing is converted then.
    mutating func convert(_ text: String) throws(SyntaxProblem) {
        var nodes: [Node] = []
        do {
            // Iterated by hand: `for` would work on a copy, and the error would stay with the copy.
            var documents = try compose_all(yaml: text)
            while let node = documents.next() { nodes.append(node) }
            if let error = documents.error { throw error }
        } catch {
            throw Self.problem(error)
        }
        for node in nodes { convert(document: node) }
    }

    private static func problem(_ error: any Error) -> SyntaxProblem {
        guard let error = error as? YamlError else { return SyntaxProblem(line: 1, message: "\(error)") }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return SyntaxProblem(line: mark.line, message: "is not YAML: \(problem)")
        default:
            return SyntaxProblem(line: 1, message: "is not YAML: \(error)")
        }
    }

    private mutating func convert(document node: Node) {
        if case .scalar(let scalar) = node, scalar.string.isEmpty { return }
        let kind = node.field("kind")?.string ?? ""
        let name = [node.field("metadata")?.field("namespace")?.string, node.field("metadata")?.field("name")?.string]
            .compactMap { $0 }.joined(separator: "/")
        let fields = StashFields(object: kind.isEmpty ? "a document" : "\(kind) \(name)")
        defer { remarks += fields.remarks }
        if kind.hasSuffix("List"), let items = node.field("items") {
            for item in items.elements { convert(document: item) }
            return
        }
        let group = node.field("apiVersion")?.string?.split(separator: "/").first.map(String.init) ?? ""
        guard group == "stash.appscode.com" || group == "appcatalog.appscode.com", let stash = StashKind(rawValue: kind)
        else {
            fields.remark(node, "is left as it is: it is no object of Stash's (apiVersion stash.appscode.com)")
            return
        }
        if let reason = stash.reasonForNothing {
            fields.remark(node, "is left out: \(stash.foreignName(node) ?? reason)")
            return
        }
        // Applied, it would be a new restore.
        if stash == .restore || stash == .restoreBatch, node.field("status")?.field("phase") != nil {
            fields.remark(node, "is left out: it is a restore that was")
            return
        }
        if let reason = Self.reasonAgainst(stash, node) {
            fields.remark(node, "is left out: \(reason)")
            lost += 1
            return
        }
        guard let spec = node.field("spec") else {
            fields.remark(node, "is left out: it has no spec")
            lost += 1
            return
        }
        let metadata = Self.metadata(node.field("metadata"), fields)
        if stash == .restoreBatch {
            convert(members: spec, of: node, metadata, fields)
        } else {
            add(stash, metadata, stash.convert(spec, fields), from: node, fields)
        }
    }

    private mutating func add(
        _ kind: StashKind,
        _ metadata: Node,
        _ spec: Node,
        from node: Node,
        _ fields: StashFields,
        at path: String = ""
    ) {
        let object = Node.fields([
            ("apiVersion", Node(ResourceGroup.apiVersion)), ("kind", Node(kind.rawValue)), ("metadata", metadata),
            ("spec", spec),
        ])
        let problems = Self.problems(object, kind)
        for problem in problems { fields.remark(node, "\(path.isEmpty ? "" : "\(path) ")is left out: \(problem)") }
        if problems.isEmpty { objects.append(object) } else { lost += 1 }
    }

    /// One RestoreSession for each target of a RestoreBatch.
    private mutating func convert(members spec: Node, of node: Node, _ metadata: Node, _ fields: StashFields) {
        let shared = fields.convert(spec, at: "spec", StashKind.restoreBatchRules)
        for (index, member) in (spec.field("members")?.elements ?? []).enumerated() {
            let path = "spec.members[\(index)]"
            if let reason = StashKind.reasonAgainst(member: member) {
                fields.remark(member, "\(path) is left out: \(reason)")
                lost += 1
                continue
            }
            let own = fields.convert(member, at: path, StashKind.restoreMemberRules)
            let name = StashKind.name(of: member).map { "\(metadata.field("name")?.string ?? "")-\($0)" }
            add(
                .restore,
                metadata.with("name", name.map { Node($0) }),
                .fields(shared.pairs + own.pairs),
                from: member,
                fields,
                at: path
            )
        }
    }

    /// Why an object of a kind that is converted can't be.
    private static func reasonAgainst(_ kind: StashKind, _ node: Node) -> String? {
        guard [.configuration, .restore, .batch, .restoreBatch].contains(kind) else { return nil }
        if node.field("spec")?.field("driver")?.string == "VolumeSnapshotter" {
            return "it makes snapshots of volumes; Remora reads databases"
        }
        guard let target = node.field("spec")?.field("target")?.field("ref")?.field("kind")?.string,
            target != "AppBinding"
        else { return nil }
        return "its target is a \(target); Remora backs up databases, which an AppBinding describes"
    }

    private static func metadata(_ node: Node?, _ fields: StashFields) -> Node {
        guard let node else { return .fields([]) }
        let servers = [
            "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields", "finalizers",
            "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
        ]
        return fields.convert(
            node,
            at: "metadata",
            [
                "name": .keep, "namespace": .keep, "labels": .keep,
                "annotations": .by(StashKind.annotations),
            ].with(servers, .silently)
        )
    }

    /// What Remora would refuse about an object.
    private static func problems(_ object: Node, _ kind: StashKind) -> [String] {
        do {
            return switch kind {
            case .repository: try decode(RepositoryObject.self, object).problems().map(\.description)
            case .configuration: try decode(BackupConfiguration.self, object).problems().map(\.description)
            case .restore: try decode(RestoreSession.self, object).problems().map(\.description)
            case .binding: try decode(AppBinding.self, object).problems().map(\.description)
            case .batch: try problems(decode(BackupBatch.self, object))
            case .blueprint: try decode(BackupBlueprint.self, object).problems().map(\.description)
            case .session, .restoreBatch, .function, .task: []
            }
        } catch let DecodingError.keyNotFound(key, context) {
            return ["\((context.codingPath + [key]).map(\.stringValue).joined(separator: ".")) is missing"]
        } catch let DecodingError.typeMismatch(_, context), let DecodingError.valueNotFound(_, context),
            let DecodingError.dataCorrupted(context)
        {
            return ["\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"]
        } catch {
            return ["\(error)"]
        }
    }

    private static func problems(_ batch: BackupBatch) -> [String] {
        (batch.problems() + batch.expand().problems).map(\.description)
    }

    private static func decode<Object: Decodable>(_ type: Object.Type, _ node: Node) throws -> Object {
        try YAMLDecoder().decode(type, from: node)
    }
}
