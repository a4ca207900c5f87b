import BSON
import BackupModel

/// What a command entry of the oplog asks for.
enum OplogCommand: Sendable, Hashable {
    /// A collection; the document is the whole command.
    case create(String, BSONDocument)
    case drop(String)
    case dropDatabase
    /// Full names; `dropsTarget` when something of the new name goes.
    case rename(from: Namespace, to: Namespace, dropsTarget: Bool)
    /// The whole command.
    case modify(String, BSONDocument)
    /// Index specifications as `listIndexes` has them.
    case createIndexes(String, [BSONDocument])
    /// An index's name, or `*` for all but `_id_`; its key where only that is told.
    case dropIndex(String, name: String?, key: BSONDocument?)
    /// Empties a capped collection, or converts one: done as it stands.
    case passed(String, BSONDocument)
    /// Operations that are one.
    case operations(Operations)
    /// When a prepared transaction became visible, which its entry may follow much later; nil where it isn't told.
    case commitTransaction(at: ClusterTime?)
    case abortTransaction
    /// Says nothing about data.
    case ignored

    /// The operations of an `applyOps` entry.
    struct Operations: Sendable, Hashable {
        /// The array's bytes.
        var array: [UInt8]
        /// More entries of the same transaction follow.
        var isPartial: Bool
        /// Waits for a commit or abort entry.
        var isPrepared: Bool
    }

    /// Reads a command.
    ///
    /// - Throws: `RestoreFailure` for a command that nobody taught us: leaving it out could lose data silently.
    init(_ operation: OplogOperation) throws {
        let time = operation.time
        let document: BSONDocument
        do {
            document = try BSONDocument(validating: operation.object)
        } catch {
            throw RestoreFailure.badOplog("the command at \(time) is not valid BSON: \(error)")
        }
        guard let name = document.keys.first, let first = document[name] else {
            throw RestoreFailure.badOplog("the command at \(time) is empty")
        }
        func collection() throws -> String {
            guard let text = first.string else {
                throw RestoreFailure.badOplog("the command \(name) at \(time) names no collection")
            }
            return text
        }
        switch name {
        case "create": self = .create(try collection(), document)
        case "drop": self = .drop(try collection())
        case "dropDatabase": self = .dropDatabase
        case "renameCollection":
            guard let from = Namespace(try collection()), let to = document["to"]?.string.flatMap({ Namespace($0) })
            else {
                throw RestoreFailure.badOplog("the renameCollection at \(time) names no collections")
            }
            // `dropTarget` is true, or the UUID of what is dropped.
            let drops = document["dropTarget"].map { $0.truth ?? ($0.type == .binary) } ?? false
            self = .rename(from: from, to: to, dropsTarget: drops)
        case "collMod": self = .modify(try collection(), document)
        case "createIndexes":
            self = .createIndexes(try collection(), [document.removing("createIndexes")])
        case "commitIndexBuild":
            let specs = document["indexes"]?.array?.compactMap(\.document) ?? []
            guard !specs.isEmpty else {
                throw RestoreFailure.badOplog("the commitIndexBuild at \(time) has no indexes")
            }
            self = .createIndexes(try collection(), specs)
        case "dropIndexes", "dropIndex", "deleteIndexes", "deleteIndex":
            self = .dropIndex(try collection(), name: document["index"]?.string, key: document["key"]?.document)
        case "convertToCapped", "emptycapped": self = .passed(try collection(), document)
        case "applyOps":
            guard let place = document.places.first, place.type == .array else {
                throw RestoreFailure.badOplog("the applyOps at \(time) has no operations")
            }
            self = .operations(
                Operations(
                    array: [UInt8](document.bytes[place.value]),
                    isPartial: document["partialTxn"]?.truth == true,
                    isPrepared: document["prepare"]?.truth == true
                )
            )
        case "commitTransaction":
            self = .commitTransaction(at: document["commitTimestamp"]?.timestamp.map { ClusterTime(bits: $0) })
        case "abortTransaction": self = .abortTransaction
        case "startIndexBuild", "abortIndexBuild", "dbCheck", "setMultikeyMetadata", "dropIdent": self = .ignored
        default:
            throw RestoreFailure.badOplog(
                "the entry at \(time) on \(operation.namespace.database) is a command (\(name)) that this version of "
                    + "Remora doesn't know how to apply"
            )
        }
    }

    /// The operations inside an `applyOps` array, those of nested ones in their place.
    static func unpack(_ array: [UInt8], time: ClusterTime, depth: Int = 0) throws -> [OplogOperation] {
        guard depth < 10 else { throw RestoreFailure.badOplog("the applyOps at \(time) is nested too deep") }
        var operations: [OplogOperation] = []
        let span = array.span.bytes
        var places: [Range<Int>] = []
        do throws(BSONError) {
            var documents = try BSONDocumentArray(span)
            while let place = try documents.next() { places.append(place) }
        } catch {
            throw RestoreFailure.badOplog("the applyOps at \(time) is not valid BSON: \(error)")
        }
        for place in places {
            let operation = try OplogEntry.inner(span, at: place.lowerBound, time: time)
            if operation.kind == .command, case .operations(let nested) = try OplogCommand(operation) {
                operations += try unpack(nested.array, time: time, depth: depth + 1)
            } else {
                operations.append(operation)
            }
        }
        return operations
    }
}
