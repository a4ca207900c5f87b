// Every BSON type and every shape of document that a server takes.

extension DataSet {
    func typePlans() -> [CollectionPlan] {
        [
            everyType, mixedIdentifiers, oddDocuments, zeroTimestamps, emptyDocuments,
            CollectionPlan(database: "types", name: "empty"),
            CollectionPlan(
                database: "types",
                name: "empty with indexes",
                indexes: [#"{"key": {"a": 1, "b": -1, "c": 1}, "name": "a_1_b_-1_c_1"}"#]
            ),
        ]
    }

    /// One document a type, with the value at the top, in a document and in an array.
    private var everyType: CollectionPlan {
        let values = Self.values
        return CollectionPlan(database: "types", name: "every type", count: values.count) { index, _ in
            TestDocument { document in
                document.int32("_id", Int32(index))
                values[index](&document, "value")
                document.document("nested") { nested in values[index](&nested, "value") }
                document.array("list") { list in
                    values[index](&list, "0")
                    list.document("1") { values[index](&$0, "value") }
                }
            }
        }
    }

    private static let values: [@Sendable (inout TestDocumentBuilder, String) -> Void] = [
        { $0.double($1, 1.5) }, { $0.double($1, .nan) }, { $0.double($1, -.infinity) }, { $0.double($1, -0.0) },
        { $0.double($1, .leastNonzeroMagnitude) },
        { $0.string($1, "") }, { $0.string($1, "naïve ☂ 🐟 \u{0}zero") },
        { $0.string($1, bytes: [0x61, 0xff, 0xfe, 0xc3, 0x28]) },
        { $0.document($1) { _ in } }, { $0.array($1) { _ in } },
        {
            $0.array($1) {
                $0.int32("5", 1); $0.int32("names", 2)
            }
        },
        { $0.binary($1, []) }, { $0.binary($1, [0, 1, 2], subtype: 0) }, { $0.binary($1, [1, 2, 3], subtype: 2) },
        { $0.binary($1, Array(repeating: 7, count: 16), subtype: 3) },
        { $0.binary($1, Array(repeating: 8, count: 16), subtype: 4) },
        { $0.binary($1, Array(repeating: 9, count: 16), subtype: 5) }, { $0.binary($1, [1], subtype: 0x80) },
        { $0.binary($1, [1], subtype: 0xff) },
        { $0.undefined($1) }, { $0.objectID($1, 42) }, { $0.bool($1, true) }, { $0.bool($1, false) },
        { $0.date($1, milliseconds: 0) }, { $0.date($1, milliseconds: .min) }, { $0.date($1, milliseconds: .max) },
        { $0.null($1) }, { $0.regex($1, "^a.*b$", "imsx") }, { $0.regex($1, "", "") },
        { $0.pointer($1, "types.x", Array(1...12)) },
        { $0.code($1, "function () { return 1; }") }, { $0.symbol($1, "symbol") },
        { $0.code($1, "x + 1", scope: { $0.int32("x", 1) }) },
        { $0.int32($1, .min) }, { $0.int32($1, .max) },
        { $0.timestamp($1, seconds: 1, increment: 2) }, { $0.timestamp($1, seconds: .max, increment: .max) },
        { $0.int64($1, .min) }, { $0.int64($1, .max) },
        // 1.00 (zeros kept), NaN, infinity, the smallest.
        { $0.decimal($1, low: 100, high: 0x303c_0000_0000_0000) },
        { $0.decimal($1, low: 0, high: 0x7c00_0000_0000_0000) },
        { $0.decimal($1, low: 0, high: 0x7800_0000_0000_0000) }, { $0.decimal($1, low: 1, high: 0) },
        { $0.minKey($1) }, { $0.maxKey($1) },
    ]

    /// 20 kinds of `_id` in one collection, MinKey and MaxKey too: an `_id` range of one type loses the others.
    private var mixedIdentifiers: CollectionPlan {
        let kinds: [@Sendable (inout TestDocumentBuilder, Int) -> Void] = [
            { $0.int32("_id", Int32($1)) }, { $0.double("_id", Double($1) + 0.5) },
            { $0.int64("_id", Int64($1) + 5_000_000_000) }, { $0.string("_id", "id-\($1)") },
            { number, index in number.decimal("_id", low: UInt64(index) * 10 + 1, high: 0x303c_0000_0000_0000) },
            { builder, index in
                builder.document("_id") {
                    $0.int32("a", Int32(index)); $0.string("b", "x")
                }
            },
            { builder, index in
                builder.document("_id") {
                    $0.string("b", "x"); $0.int32("a", Int32(index))
                }
            },
            { builder, index in builder.binary("_id", Array("\(index)".utf8)) },
            { builder, index in builder.binary("_id", Array("0123456789-\(10_000 + index)".utf8), subtype: 4) },
            { $0.objectID("_id", UInt64($1)) }, { $0.date("_id", milliseconds: Int64($1)) },
            { $0.timestamp("_id", seconds: UInt32($1) + 1, increment: 1) }, { $0.code("_id", "f(\($1))") },
            { builder, index in builder.code("_id", "f(\(index))", scope: { $0.int32("i", 1) }) },
            { $0.symbol("_id", "symbol-\($1)") },
        ]
        let single: [@Sendable (inout TestDocumentBuilder) -> Void] = [
            { $0.minKey("_id") }, { $0.maxKey("_id") }, { $0.null("_id") }, { $0.bool("_id", true) },
            { $0.bool("_id", false) }, { $0.double("_id", .nan) }, { $0.double("_id", .infinity) },
            { $0.document("_id") { _ in } }, { $0.string("_id", "") }, { $0.string("_id", bytes: [0xff, 0xfe]) },
        ]
        let each = 40
        return CollectionPlan(
            database: "types",
            name: "mixed ids",
            count: kinds.count * each + single.count
        ) { index, generator in
            TestDocument { document in
                if index < kinds.count * each {
                    kinds[index % kinds.count](&document, index / kinds.count)
                } else {
                    single[index - kinds.count * each](&document)
                }
                document.string("text", bytes: generator.letters(generator.below(400)))
            }
        }
    }

    private var oddDocuments: CollectionPlan {
        let shapes: [@Sendable (inout TestDocumentBuilder) -> Void] = [
            // The same name twice, and three times inside.
            {
                $0.int32("a", 1); $0.int32("b", 2); $0.string("a", "again")
            },
            { $0.document("in") { for number in 0..<3 { $0.int32("twice", Int32(number)) } } },
            {
                $0.int32("", 1); $0.document("in") { $0.int32("", 2) }
            },
            {
                $0.int32("dots.in.names", 1); $0.document("in") { $0.int32("$dollar", 2) }
            },
            {
                $0.document("in") {
                    $0.string("$ref", "c"); $0.int32("$id", 1); $0.string("$db", "d")
                }
            },
            { for number in 0..<5_000 { $0.int32("field-\(number)", Int32(number)) } },
            { $0.array("long") { for number in 0..<20_000 { $0.int32("\(number)", Int32(number)) } } },
            { nest(&$0, 150) },
            { $0.string(String(repeating: "n", count: 10_000), "long name") },
            { _ in },
        ]
        return CollectionPlan(database: "types", name: "odd documents", count: shapes.count) { index, _ in
            TestDocument { document in
                document.string("_id", "odd-\(index)")
                shapes[index](&document)
            }
        }
    }

    private var zeroTimestamps: CollectionPlan {
        CollectionPlan(
            database: "types",
            name: "zero timestamps",
            count: 3,
            keepsZeroTimestamps: true
        ) { index, _ in
            TestDocument { document in
                document.int32("_id", Int32(index))
                document.timestamp("zero", seconds: 0, increment: 0)
                document.document("in") { $0.timestamp("zero", seconds: 0, increment: 0) }
                if index == 2 { document.string("after", "dollar $literal") }
            }
        }
    }

    private var emptyDocuments: CollectionPlan {
        CollectionPlan(database: "types", name: "only ids", count: 500) { index, _ in
            TestDocument { $0.int32("_id", Int32(index)) }
        }
    }
}

private func nest(_ builder: inout TestDocumentBuilder, _ depth: Int) {
    guard depth > 0 else { return builder.bool("bottom", true) }
    builder.document("d") { nest(&$0, depth - 1) }
}
