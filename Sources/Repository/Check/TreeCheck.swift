import ObjectStorage

/// The part of a check that walks all trees of all snapshots, each once.
struct TreeCheck {
    let repository: Repository
    let index: RepositoryIndex
    var report: CheckReport
    let progress: @Sendable (CheckProgress) -> Void
    private var seen: Set<BlobID> = []

    init(
        repository: Repository,
        index: RepositoryIndex,
        report: CheckReport,
        progress: @escaping @Sendable (CheckProgress) -> Void
    ) {
        self.repository = repository
        self.index = index
        self.report = report
        self.progress = progress
    }

    mutating func run(_ snapshots: [SnapshotID]) async throws {
        for (number, id) in snapshots.enumerated() {
            let path = FileKind.snapshot.path(id)
            do {
                let snapshot = try await repository.snapshot(id)
                report.snapshots += 1
                try await walk(snapshot.tree, snapshot: path, directory: "/", depth: 0)
            } catch let error where error.isDamage {
                report.error(path, "snapshot \(path) can't be used: \(error)")
            }
            progress(CheckProgress(phase: .trees, done: number + 1, total: snapshots.count))
        }
    }

    private mutating func walk(_ id: BlobID, snapshot: String, directory: String, depth: Int) async throws {
        guard seen.insert(id).inserted else { return }
        guard depth < 1000 else {
            report.error(snapshot, "\(snapshot) has directories that are nested deeper than 1000")
            return
        }
        guard let location = index.find(id, .tree) else {
            report.error(snapshot, "\(snapshot): the tree \(id) of directory \(directory) is in no index file")
            return
        }
        let tree: Tree
        do {
            tree = try await repository.readTree(location)
        } catch let error where error.isDamage {
            report.error(
                FileKind.pack.path(location.pack),
                "\(snapshot): directory \(directory) can't be read: \(error)"
            )
            return
        }
        report.trees += 1
        for node in tree.nodes {
            let path = directory + String(decoding: node.name, as: UTF8.self)
            check(node, path, snapshot)
            if node.kind == .directory, let subtree = node.subtree {
                try await walk(subtree, snapshot: snapshot, directory: path + "/", depth: depth + 1)
            }
        }
    }

    private mutating func check(_ node: Node, _ path: String, _ snapshot: String) {
        if node.name.isEmpty { report.error(snapshot, "\(snapshot): an entry of \(path) has no name") }
        switch node.kind {
        case .file:
            guard let content = node.content else {
                report.error(snapshot, "\(snapshot): file \(path) has no list of chunks")
                return
            }
            checkContent(content, of: node, path, snapshot)
        case .directory:
            if node.subtree == nil || node.subtree == .zero {
                report.error(snapshot, "\(snapshot): directory \(path) has no tree")
            }
        case .symlink: break
        default:
            if !Node.Kind.special.contains(node.kind) {
                report.error(snapshot, "\(snapshot): \(path) is of the unknown type \"\(node.kind)\"")
            }
        }
    }

    private mutating func checkContent(_ content: [BlobID], of node: Node, _ path: String, _ snapshot: String) {
        var missing: [BlobID] = []
        var size: UInt64 = 0
        for id in content {
            if let location = index.find(id, .data) { size += UInt64(location.size) } else { missing.append(id) }
        }
        if let first = missing.first {
            report.error(
                snapshot,
                "\(snapshot): file \(path) lacks \(missing.count) of its \(content.count) chunks, the first is \(first): no index file names them"
            )
        } else if size != node.size {
            report.hint(
                snapshot,
                "\(snapshot): file \(path) has \(size) bytes of chunks, but its size says \(node.size)"
            )
        }
    }
}
