import BSON
import BackupModel

/// An operation of the oplog as it is going to be applied: mapped to the target, with what must not come along gone.
struct ReplayOperation: Sendable, Hashable {
    /// What it does.
    var kind: OplogOperation.Kind
    /// Where: `$cmd` of the target's database for commands.
    var namespace: Namespace
    /// Kept only where the target's collection has the same UUID: the server lets it win over the name.
    var uuid: [UInt8]?
    /// See `OplogOperation`.
    var object: [UInt8]
    /// See `OplogOperation`.
    var key: [UInt8]?
    /// When it happened in the backup.
    var time: ClusterTime
    /// See `OplogOperation`.
    var isUpsert = false
    /// A command that is run as itself, because `applyOps` doesn't take it or would want to be allowed more for it.
    var isDirect = false

    /// Whether what came before must be there first, and nothing after may come along.
    var isBarrier: Bool { kind == .command }

    /// Bytes that the encoded operation takes, at most.
    var encodedBound: Int { object.count + (key?.count ?? 0) + namespace.description.utf8.count + 96 }

    /// As an element of `applyOps`: `{op, ns, ui, o, o2}`, the documents copied byte by byte.
    func append(to writer: inout BSONWriter, at index: Int) {
        writer.begin(String(index))
        writer.append("op", .string(String(UnicodeScalar(kind.rawValue))))
        writer.append("ns", .string(namespace.description))
        if let uuid { writer.append("ui", .binary(subtype: 4, bytes: uuid)) }
        writer.append("o", type: .document, raw: object)
        if let key, kind == .update { writer.append("o2", type: .document, raw: key) }
        // The server's default differs between versions.
        if isUpsert { writer.append("b", .bool(true)) }
        writer.end()
    }

    /// Whether it writes a whole document that has a zero timestamp at its top, which `applyOps` would set to now.
    var writesZeroTimestamp: Bool {
        switch kind {
        case .insert: DocumentTraits.hasZeroTimestamp(object.span.bytes, at: 0)
        case .update: isReplacement && DocumentTraits.hasZeroTimestamp(object.span.bytes, at: 0)
        default: false
        }
    }

    /// Whether an update carries the whole new document: diffs and modifiers begin with `$`.
    private var isReplacement: Bool { object.count > 5 && object[5] != UInt8(ascii: "$") }
}

extension ReplayOperation {
    /// Takes over what an operation of the oplog does, to the target's namespace.
    init(_ operation: OplogOperation, to namespace: Namespace, uuid: [UInt8]? = nil) {
        self.init(
            kind: operation.kind,
            namespace: namespace,
            uuid: uuid,
            object: operation.object,
            key: operation.key,
            time: operation.time,
            isUpsert: operation.isUpsert
        )
    }
}
