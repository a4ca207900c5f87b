import BSON
import Testing

@testable import Engines

@Suite("Restore: documents out of chunks")
struct FramingTests {
    private static let documents: [BSONDocument] = (0..<40).map {
        ["_id": .integer($0), "text": .string(String(repeating: "x", count: $0 * 7))]
    }

    @Test("whole documents come out, however the file was cut", arguments: [1, 2, 3, 7, 64, 250, 1000, 100_000])
    func anyCut(size: Int) throws {
        let file = Self.documents.flatMap(\.bytes)
        var framer = DocumentFramer()
        var runs: [[UInt8]] = []
        for start in stride(from: 0, to: file.count, by: size) {
            runs.append(try framer.push(Array(file[start..<min(start + size, file.count)])))
        }
        try framer.finish()
        #expect(runs.flatMap(\.self) == file)
        var count = 0
        for run in runs {
            var sequence = BSONDocumentSequence(run.span.bytes)
            while try sequence.next() != nil { count += 1 }
        }
        #expect(count == Self.documents.count)
    }

    @Test("a file that ends inside a document is told")
    func truncated() throws {
        var framer = DocumentFramer()
        _ = try framer.push(Array(Self.documents[3].bytes.dropLast()))
        #expect(throws: BSONError.self) { try framer.finish() }
    }

    @Test(
        "bytes that are no documents are told",
        arguments: [[4, 0, 0, 0], [255, 255, 255, 127, 0], [5, 0, 0, 0, 1]]
    )
    func garbage(bytes: [UInt8]) {
        var framer = DocumentFramer()
        #expect(throws: BSONError.self) { _ = try framer.push(bytes) }
    }

    @Test("a checksum knows its documents in any order and notices any change")
    func checksum() {
        func sum(_ documents: [BSONDocument]) -> DocumentChecksum {
            var sum = DocumentChecksum()
            for document in documents { sum.add(document.bytes.span.bytes) }
            return sum
        }
        let whole = sum(Self.documents)
        #expect(sum(Self.documents.reversed()) == whole)
        var parts = sum(Array(Self.documents[..<13]))
        parts.add(sum(Array(Self.documents[13...])))
        #expect(parts == whole)
        #expect(sum(Array(Self.documents.dropFirst()) + [Self.documents[1]]) != whole)
        var seen: Set<UInt64> = []
        for document in Self.documents.prefix(12) {
            for bit in 0..<(document.bytes.count * 8) {
                var bytes = document.bytes
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(seen.insert(DocumentChecksum.hash(bytes.span.bytes)).inserted)
            }
        }
    }

    @Test("zero timestamps are found at the top, and only there")
    func zeroTimestamps() {
        let cases: [(BSONDocument, Bool)] = [
            (["_id": 1, "t": .timestamp(0)], true), (["_id": 1, "t": .timestamp(1)], false),
            (["_id": .timestamp(0)], false), (["_id": 1, "n": ["t": .timestamp(0)]], false), ([:], false),
        ]
        for (document, has) in cases {
            #expect(DocumentTraits.hasZeroTimestamp(document.bytes.span.bytes, at: 0) == has)
        }
    }
}
