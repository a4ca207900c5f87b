import BSON

/// Questions about a document's top level.
enum DocumentTraits {
    /// Whether an element other than `_id` is the timestamp zero.
    ///
    /// The server puts its clock there on every ordinary way of writing a whole document (mongodb-live: insert,
    /// replacement, applyOps), which would change the data.
    static func hasZeroTimestamp(_ bytes: RawSpan, at start: Int) -> Bool {
        do throws(BSONError) {
            var elements = try BSONElements(bytes, at: start)
            while let element = try elements.next() {
                guard element.type == .timestamp,
                    bytes.unsafeLoadUnaligned(fromByteOffset: element.value.lowerBound, as: UInt64.self) == 0
                else { continue }
                if element.key.count == 3, BSONView.equals(bytes, element.key, [0x5F, 0x69, 0x64]) { continue }
                return true
            }
            return false
        } catch {
            // A document that can't be walked isn't one we may rewrite; the server will say what is wrong with it.
            return false
        }
    }
}
