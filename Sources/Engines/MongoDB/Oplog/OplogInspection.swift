import BSON
import BackupModel

/// What one oplog entry means for a dump that was read while it was written.
struct OplogInspection: Sendable {
    /// Changes that replaying the oplog over such a dump can't make good, in words.
    private(set) var hazards: [String] = []
    /// In a cluster: commands that no restore can replay, in words.
    private(set) var unknown: [String] = []
    /// The earliest entry that a transaction in the slice still needs, before the slice's start.
    private(set) var missingHead: ClusterTime?
    private(set) var first: ClusterTime?
    private(set) var last: ClusterTime?
    /// The first entry that belongs in the dump.
    private(set) var firstKept: ClusterTime?
    /// Entries that belong in the dump.
    private(set) var count: Int64 = 0

    /// Changes of a cluster's layout that are under way at the last entry.
    private(set) var layout: LayoutTracker
    /// Transactions that are prepared at the last entry and not decided, by session and number, with the time of
    /// the entry that prepares them.
    private(set) var prepared: [[UInt8]: ClusterTime] = [:]

    private let start: ClusterTime
    private let applied: ClusterTime

    /// Begins an inspection of the slice from `start`; what was read has everything up to `applied`.
    init(from start: ClusterTime, applied: ClusterTime, layout: LayoutTracker = LayoutTracker()) {
        self.start = start
        self.applied = applied
        self.layout = layout
    }

    /// Takes a decision that lies behind the slice; returns whether the transaction waited for one.
    mutating func decide(_ transaction: [UInt8]) -> Bool { prepared.removeValue(forKey: transaction) != nil }

    /// Commands after which names no longer mean what they meant when the data was read.
    ///
    /// Replaying them over data that was read by the new name loses it; mongodump refuses the same ones.
    private static let hazardous: Set<String> = [
        "renameCollection", "importCollection", "convertToCapped", "emptycapped",
        "upgradeDowngradeViewlessTimeseries",
    ]

    /// Looks at the entry at `range` and returns the place of its `ts` element, which identifies it; nil when the
    /// entry doesn't belong in the dump.
    ///
    /// What was applied before the reading began is in the data. Replaying it would not only be needless: a rename
    /// can't be done twice. Only the heads of transactions that were open then are still needed.
    mutating func inspect(_ bytes: RawSpan, _ range: Range<Int>) throws(BSONError) -> Range<Int>? {
        var elements = try BSONElements(bytes, at: range.lowerBound)
        var identity = range
        var operation: UInt8 = 0
        var namespace: Range<Int>?
        var object: Range<Int>?
        var target: Range<Int>?
        var previous: Range<Int>?
        var session: Range<Int>?
        var number: Range<Int>?
        var multiple = false
        var isOld = false
        while let element = try elements.next() {
            switch (element.key.count, element.type) {
            case (2, .timestamp) where BSONView.equals(bytes, element.key, Self.ts):
                identity = element.key.lowerBound - 1..<element.value.upperBound
                let bits = bytes.unsafeLoadUnaligned(fromByteOffset: element.value.lowerBound, as: UInt64.self)
                let time = ClusterTime(bits: UInt64(littleEndian: bits))
                first = first ?? time
                last = time
                isOld = time <= applied
            case (2, .string) where BSONView.equals(bytes, element.key, Self.op):
                operation = bytes.unsafeLoad(fromByteOffset: element.value.lowerBound + 4, as: UInt8.self)
            case (2, .string) where BSONView.equals(bytes, element.key, Self.ns):
                namespace = element.value.lowerBound + 4..<element.value.upperBound - 1
            case (1, .document) where BSONView.equals(bytes, element.key, Self.o): object = element.value
            case (2, .document) where BSONView.equals(bytes, element.key, Self.o2): target = element.value
            case (4, .document) where BSONView.equals(bytes, element.key, Self.lsid): session = element.value
            case (9, .int64) where BSONView.equals(bytes, element.key, Self.txnNumber): number = element.value
            case (10, .document) where BSONView.equals(bytes, element.key, Self.prevOpTime): previous = element.value
            case (11, _) where BSONView.equals(bytes, element.key, Self.multiOpType): multiple = true
            default: break
            }
        }
        if operation == UInt8(ascii: "c"), let object, let session, let number, !multiple {
            let id = BSONDocument.copy(bytes, session) + BSONDocument.copy(bytes, number)
            try followTransaction(bytes, object, id)
        }
        if isOld {
            guard operation == UInt8(ascii: "c"), let object, try Self.isOpenTransaction(bytes, object) else {
                return nil
            }
        }
        count += 1
        firstKept = firstKept ?? last
        if operation == UInt8(ascii: "c"), let object {
            try inspectCommand(bytes, range.lowerBound, object, namespace, multiple ? nil : previous)
        } else if let namespace, BSONView.equals(bytes, namespace, Self.versionCollection) {
            let document = try BSONDocument(copying: bytes, target ?? object ?? range)
            if document["_id"]?.string == "featureCompatibilityVersion" {
                hazards.append("a change of the feature compatibility version")
            }
        } else if layout.isActive, let namespace, let object, BSONView.equals(bytes, namespace.prefix(7), Self.config) {
            layout.take(
                operation,
                String(decoding: BSONDocument.copy(bytes, namespace), as: UTF8.self),
                try BSONDocument(copying: bytes, object),
                try target.map { place throws(BSONError) in try BSONDocument(copying: bytes, place) }
            )
        }
        return identity
    }

    private static let ts = [UInt8]("ts".utf8)
    private static let op = [UInt8]("op".utf8)
    private static let ns = [UInt8]("ns".utf8)
    private static let o = [UInt8]("o".utf8)
    private static let o2 = [UInt8]("o2".utf8)
    private static let lsid = [UInt8]("lsid".utf8)
    private static let txnNumber = [UInt8]("txnNumber".utf8)
    private static let config = [UInt8]("config.".utf8)
    private static let prevOpTime = [UInt8]("prevOpTime".utf8)
    private static let multiOpType = [UInt8]("multiOpType".utf8)
    private static let versionCollection = [UInt8]("admin.system.version".utf8)

    /// Whether the command is a part of a transaction that a later entry ends.
    private static func isOpenTransaction(_ bytes: RawSpan, _ object: Range<Int>) throws(BSONError) -> Bool {
        for key in ["partialTxn", "prepare"] {
            if let flag = try BSONView.element(key, bytes, documentAt: object.lowerBound), flag.type == .bool,
                bytes.unsafeLoad(fromByteOffset: flag.value.lowerBound, as: UInt8.self) != 0
            {
                return true
            }
        }
        return false
    }

    /// Keeps in mind which transactions wait for a decision, the ones from before the reading too.
    private mutating func followTransaction(_ bytes: RawSpan, _ object: Range<Int>, _ id: [UInt8]) throws(BSONError) {
        var elements = try BSONElements(bytes, at: object.lowerBound)
        guard let first = try elements.next(), let last else { return }
        switch String(decoding: BSONDocument.copy(bytes, first.key), as: UTF8.self) {
        case "applyOps":
            guard let flag = try BSONView.element("prepare", bytes, documentAt: object.lowerBound), flag.type == .bool,
                bytes.unsafeLoad(fromByteOffset: flag.value.lowerBound, as: UInt8.self) != 0
            else { return }
            prepared[id] = last
        case "commitTransaction", "abortTransaction": prepared[id] = nil
        default: break
        }
    }

    private mutating func inspectCommand(
        _ bytes: RawSpan,
        _ entry: Int,
        _ object: Range<Int>,
        _ namespace: Range<Int>?,
        _ previous: Range<Int>?
    ) throws(BSONError) {
        var elements = try BSONElements(bytes, at: object.lowerBound)
        guard let first = try elements.next() else { return }
        let name = String(decoding: BSONDocument.copy(bytes, first.key), as: UTF8.self)
        if Self.hazardous.contains(name) {
            let place = namespace.map { String(decoding: BSONDocument.copy(bytes, $0), as: UTF8.self) } ?? "?"
            hazards.append("\(name) in \(place)")
        }
        if layout.isActive {
            do {
                // The restore's own reader: what it doesn't understand must not come into a backup called good.
                _ = try OplogCommand(OplogEntry(bytes, at: entry).operation)
            } catch {
                unknown.append("\(error)")
            }
        }
        // Large transactions are chained backwards; whoever replays the tail needs the head.
        if name == "applyOps" || name == "commitTransaction", let previous,
            let bits = try BSONDocument(copying: bytes, previous)["ts"]?.timestamp, bits != 0
        {
            let time = ClusterTime(bits: bits)
            if time < start { missingHead = min(missingHead ?? time, time) }
        }
    }
}
