import BSON
import BackupModel

/// One operation of an oplog entry, or of a transaction inside one, as bytes that are never decoded.
struct OplogOperation: Sendable, Hashable {
    /// What it does.
    enum Kind: UInt8, Sendable {
        case insert = 0x69  // i
        case update = 0x75  // u
        case delete = 0x64  // d
        case command = 0x63  // c
        case note = 0x6E  // n
    }

    /// What it does.
    var kind: Kind
    /// What it does it to; `$cmd` for commands, empty for notes.
    var namespace: Namespace
    /// The collection's UUID, 16 bytes.
    var uuid: [UInt8]?
    /// The document, the change, the key to delete, or the command.
    var object: [UInt8]
    /// The key of an updated document.
    var key: [UInt8]?
    /// When it happened.
    var time: ClusterTime
    /// An update that makes the document when there is none, as the config server writes its routing table (`b`).
    var isUpsert = false
}

/// One entry of `oplog.bson`.
struct OplogEntry: Sendable {
    /// Which of possibly several entries of one transaction this is.
    struct Transaction: Sendable, Hashable {
        /// Session and number, as bytes: equal for all entries of a transaction.
        var id: [UInt8]
        /// Whether an earlier entry of it exists.
        var hasPrevious: Bool
    }

    /// The operation.
    var operation: OplogOperation
    /// The transaction that it belongs to; nil for everything else, retryable writes too.
    var transaction: Transaction?

    /// Reads an entry.
    ///
    /// - Throws: `RestoreFailure` when a field is missing or has another type than the server writes, or when the
    ///   entry's kind is unknown.
    init(_ bytes: RawSpan, at start: Int) throws {
        var fields = OplogFields()
        try fields.read(bytes, at: start)
        guard let time = fields.time else { throw RestoreFailure.badOplog("an entry has no time (ts)") }
        operation = try fields.operation(bytes, time: time)
        if let session = fields.session, let number = fields.transactionNumber, operation.kind == .command,
            !fields.isVectoredWrite
        {
            transaction = Transaction(
                id: BSONDocument.copy(bytes, session) + BSONDocument.copy(bytes, number),
                hasPrevious: fields.previousTime.map { $0 != 0 } ?? false
            )
        }
    }

    /// Reads an operation inside an `applyOps` array.
    static func inner(_ bytes: RawSpan, at start: Int, time: ClusterTime) throws -> OplogOperation {
        var fields = OplogFields()
        try fields.read(bytes, at: start)
        return try fields.operation(bytes, time: time)
    }
}

/// Places of an entry's fields.
private struct OplogFields {
    var time: ClusterTime?
    var kind: Range<Int>?
    var namespace: Range<Int>?
    var uuid: Range<Int>?
    var object: Range<Int>?
    var key: Range<Int>?
    var isUpsert = false
    var session: Range<Int>?
    var transactionNumber: Range<Int>?
    var previousTime: UInt64?
    /// `multiOpType: 1`: writes that one command made, applied at once, not a transaction (7.0 and later).
    var isVectoredWrite = false

    mutating func read(_ bytes: RawSpan, at start: Int) throws {
        do throws(BSONError) {
            var elements = try BSONElements(bytes, at: start)
            while let element = try elements.next() { try take(element, bytes) }
        } catch {
            throw RestoreFailure.badOplog("an entry is not valid BSON: \(error)")
        }
    }

    private mutating func take(_ element: BSONElement, _ bytes: RawSpan) throws(BSONError) {
        switch (element.key.count, bytes.unsafeLoad(fromByteOffset: element.key.lowerBound, as: UInt8.self)) {
        case (1, UInt8(ascii: "o")):
            if element.type == .document { object = element.value }
        case (1, UInt8(ascii: "b")):
            if element.type == .bool {
                isUpsert = bytes.unsafeLoad(fromByteOffset: element.value.lowerBound, as: UInt8.self) == 1
            }
        case (2, UInt8(ascii: "o")):
            if text(element, bytes) == "op" {
                kind = element.value
            } else if text(element, bytes) == "o2", element.type == .document {
                key = element.value
            }
        case (2, UInt8(ascii: "t")):
            if text(element, bytes) == "ts", element.type == .timestamp {
                time = ClusterTime(bits: bits(element, bytes))
            }
        case (2, UInt8(ascii: "n")):
            if text(element, bytes) == "ns", element.type == .string { namespace = element.value }
        case (2, UInt8(ascii: "u")):
            if text(element, bytes) == "ui", element.type == .binary { uuid = element.value }
        case (4, UInt8(ascii: "l")):
            if text(element, bytes) == "lsid", element.type == .document { session = element.value }
        case (9, UInt8(ascii: "t")):
            if text(element, bytes) == "txnNumber" { transactionNumber = element.value }
        case (10, UInt8(ascii: "p")):
            if text(element, bytes) == "prevOpTime", element.type == .document {
                if let ts = try BSONView.element("ts", bytes, documentAt: element.value.lowerBound),
                    ts.type == .timestamp
                {
                    previousTime = bits(ts, bytes)
                }
            }
        case (11, UInt8(ascii: "m")):
            if text(element, bytes) == "multiOpType", element.type == .int32 {
                isVectoredWrite =
                    bytes.unsafeLoadUnaligned(fromByteOffset: element.value.lowerBound, as: Int32.self) == 1
            }
        default: break
        }
    }

    private func text(_ element: BSONElement, _ bytes: RawSpan) -> String {
        String(decoding: BSONDocument.copy(bytes, element.key), as: UTF8.self)
    }

    private func bits(_ element: BSONElement, _ bytes: RawSpan) -> UInt64 {
        UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: element.value.lowerBound, as: UInt64.self))
    }

    func operation(_ bytes: RawSpan, time: ClusterTime) throws -> OplogOperation {
        guard let kind, let namespace, let object else {
            throw RestoreFailure.badOplog("the entry at \(time) lacks op, ns or o")
        }
        let name = string(namespace, bytes)
        guard kind.count == 6, let known = OplogOperation.Kind(rawValue: BSONDocument.copy(bytes, kind)[4]) else {
            throw RestoreFailure.badOplog(
                "the entry at \(time) on \(name) is of a kind (op: \(string(kind, bytes))) that this version of Remora "
                    + "doesn't know"
            )
        }
        let parts = Namespace(name)
        if parts == nil && known != .note {
            throw RestoreFailure.badOplog("the entry at \(time) has no namespace (ns: \"\(name)\")")
        }
        let id = uuid.map { BSONDocument.copy(bytes, $0).dropFirst(5) }
        return OplogOperation(
            kind: known,
            namespace: parts ?? Namespace(database: "", collection: ""),
            uuid: id.flatMap { $0.count == 16 ? [UInt8]($0) : nil },
            object: BSONDocument.copy(bytes, object),
            key: key.map { BSONDocument.copy(bytes, $0) },
            time: time,
            isUpsert: known == .update && isUpsert
        )
    }

    private func string(_ value: Range<Int>, _ bytes: RawSpan) -> String {
        String(decoding: BSONDocument.copy(bytes, value).dropFirst(4).dropLast(), as: UTF8.self)
    }
}
