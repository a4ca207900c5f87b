// What a shop would have: most of the bytes, and of the kinds of index.

extension DataSet {
    func shopPlans() -> [CollectionPlan] {
        [orders, customers, products, events, metrics, sessions, storedFunctions] + shopViews
    }

    private var orders: CollectionPlan {
        let (customers, products) = (scaled(300), 400)
        return CollectionPlan(
            database: "shop",
            name: "orders",
            indexes: [
                #"{"key": {"number": 1}, "name": "number_1", "unique": true}"#,
                #"{"key": {"customer": 1, "placed": -1}, "name": "customer_1_placed_-1"}"#,
                #"{"key": {"items.sku": 1}, "name": "items.sku_1"}"#,
                """
                {"key": {"status": 1}, "name": "open", "partialFilterExpression": {"status": {"$in": ["new", "paid"]}}}
                """,
                #"{"key": {"coupon": 1}, "name": "coupon_1", "sparse": true}"#,
            ],
            count: scaled(1_000)
        ) { index, generator in
            TestDocument { order in
                order.objectID("_id", UInt64(index))
                order.int64("number", 1_000_000 + Int64(index))
                order.objectID("customer", UInt64(generator.below(customers)))
                order.date("placed", milliseconds: 1_700_000_000_000 + Int64(index) * 61_000)
                order.string("status", generator.pick(["new", "paid", "sent", "delivered", "returned"]))
                if index % 7 == 0 { order.string("coupon", "SUMMER-\(generator.below(50))") }
                order.array("items") { items in
                    for item in 0..<(1 + generator.below(5)) {
                        items.document("\(item)") { line in
                            line.string("sku", "SKU-\(generator.below(products))")
                            line.int32("quantity", Int32(1 + generator.below(9)))
                            line.decimal("price", low: UInt64(generator.below(99_999)), high: 0x303c_0000_0000_0000)
                        }
                    }
                }
                order.document("address") { address in
                    address.string("street", generator.sentence(3))
                    address.string("city", generator.pick(["Lisboa", "Zürich", "Łódź", "東京", "Reykjavík"]))
                }
                order.string("note", generator.sentence(14))
                order.string("signature", bytes: generator.letters(800))
            }
        }
    }

    private var customers: CollectionPlan {
        CollectionPlan(
            database: "shop",
            name: "customers",
            options: #"{"collation": {"locale": "en", "strength": 2}}"#,
            indexes: [
                #"{"key": {"email": 1}, "name": "email_1", "unique": true}"#,
                #"{"key": {"home": "2dsphere"}, "name": "home_2dsphere"}"#,
                #"{"key": {"name": 1}, "name": "name_de", "collation": {"locale": "de", "numericOrdering": true}}"#,
                #"{"key": {"_id": "hashed"}, "name": "_id_hashed", "collation": {"locale": "simple"}}"#,
                """
                {"key": {"phone": 1}, "name": "phone_1", "unique": true,
                 "partialFilterExpression": {"phone": {"$exists": true}}}
                """,
            ],
            count: scaled(300)
        ) { index, generator in
            TestDocument { customer in
                customer.objectID("_id", UInt64(index))
                customer.string("email", "customer.\(index)@example.org")
                customer.string("name", generator.sentence(2).capitalized(index))
                if index % 3 == 0 { customer.string("phone", "+351 \(910_000_000 + index)") }
                customer.document("home") { home in
                    home.string("type", "Point")
                    home.array("coordinates") { pair in
                        pair.double("0", Double(generator.below(36_000)) / 100 - 180)
                        pair.double("1", Double(generator.below(17_000)) / 100 - 85)
                    }
                }
                customer.array("tags") { tags in
                    for tag in 0..<generator.below(4) { tags.string("\(tag)", generator.sentence(1)) }
                }
                customer.binary("avatar", generator.noise(200))
                customer.bool("newsletter", index % 2 == 0)
            }
        }
    }

    private var products: CollectionPlan {
        CollectionPlan(
            database: "shop",
            name: "products",
            indexes: [
                """
                {"key": {"title": "text", "text": "text"}, "name": "search", "weights": {"title": 10, "text": 2},
                 "default_language": "english", "language_override": "tongue"}
                """,
                #"{"key": {"attributes.$**": 1}, "name": "any_attribute"}"#,
                #"{"key": {"sku": 1}, "name": "sku_1", "hidden": true}"#,
                #"{"key": {"sku": -1, "title": 1}, "name": "old", "v": 1}"#,
            ],
            count: 400
        ) { index, generator in
            TestDocument { product in
                product.string("_id", "SKU-\(index)")
                product.string("sku", "SKU-\(index)")
                product.string("title", generator.sentence(3))
                product.string("text", generator.sentence(40))
                product.document("attributes") { attributes in
                    attributes.string("colour", generator.pick(["blue", "red", "amber"]))
                    attributes.double("weight", Double(generator.below(10_000)) / 8)
                }
            }
        }
    }

    /// Capped and rolled over: the first documents are gone, the order is what matters.
    private var events: CollectionPlan {
        CollectionPlan(
            database: "shop",
            name: "events",
            options: #"{"capped": true, "size": 262144, "max": 900}"#,
            indexes: [#"{"key": {"kind": 1}, "name": "kind_1"}"#],
            count: 1_200
        ) { index, generator in
            TestDocument { event in
                // Ids in no order: sorted by them, the documents are not as they were written.
                event.int64("_id", Int64(index) &* 7_919 % 1_000_003)
                event.string("kind", generator.pick(["click", "view", "buy"]))
                event.int32("n", Int32(index))
            }
        }
    }

    private var metrics: CollectionPlan {
        CollectionPlan(
            database: "shop",
            name: "metrics",
            options: """
                {"timeseries": {"timeField": "at", "metaField": "sensor", "granularity": "minutes"},
                 "expireAfterSeconds": 1500000000}
                """,
            indexes: [#"{"key": {"sensor": 1, "at": 1}, "name": "sensor_1_at_1"}"#],
            count: scaled(500)
        ) { index, generator in
            TestDocument { metric in
                metric.date("at", milliseconds: 1_700_000_000_000 + Int64(index) * 1_500)
                metric.document("sensor") { $0.string("room", "room-\(index % 12)") }
                metric.double("temperature", 18 + Double(generator.below(900)) / 100)
                metric.objectID("_id", UInt64(index))
            }
        }
    }

    private var sessions: CollectionPlan {
        CollectionPlan(
            database: "shop",
            name: "sessions",
            // A hundred years: the index must come back, and its documents must still be there to compare.
            indexes: [#"{"key": {"seen": 1}, "name": "seen_1", "expireAfterSeconds": 2147483647}"#],
            count: scaled(200)
        ) { index, generator in
            TestDocument { session in
                session.binary("_id", generator.bytes(16), subtype: 4)
                session.date("seen", milliseconds: 1_790_000_000_000 + Int64(index))
                session.string("token", bytes: generator.letters(64))
            }
        }
    }

    private var storedFunctions: CollectionPlan {
        CollectionPlan(database: "shop", name: "system.js", count: 1) { _, _ in
            TestDocument { function in
                function.string("_id", "twice")
                function.code("value", "function (x) { return 2 * x; }")
            }
        }
    }

    private var shopViews: [CollectionPlan] {
        [
            CollectionPlan(
                database: "shop",
                name: "open orders",
                options: #"{"viewOn": "orders", "pipeline": [{"$match": {"status": {"$in": ["new", "paid"]}}}]}"#
            ),
            CollectionPlan(
                database: "shop",
                name: "view of a view",
                options: #"{"viewOn": "open orders", "pipeline": [{"$project": {"number": 1}}]}"#
            ),
            CollectionPlan(
                database: "shop",
                name: "view with collation",
                options: #"{"viewOn": "customers", "pipeline": [], "collation": {"locale": "en", "strength": 2}}"#
            ),
            CollectionPlan(
                database: "shop",
                name: "view of nothing",
                options: #"{"viewOn": "no such", "pipeline": []}"#
            ),
        ]
    }

    /// Files and large documents: few of them, and many bytes.
    func archivePlans() -> [CollectionPlan] {
        [
            CollectionPlan(
                database: "archive",
                name: "fs.chunks",
                indexes: [#"{"key": {"files_id": 1, "n": 1}, "name": "files_id_1_n_1", "unique": true}"#],
                count: scaled(5)
            ) { index, generator in
                TestDocument(reserving: 262_144) { chunk in
                    chunk.objectID("_id", UInt64(index))
                    chunk.objectID("files_id", UInt64(index / 16))
                    chunk.int32("n", Int32(index % 16))
                    chunk.binary("data", generator.noise(261_120))
                }
            },
            CollectionPlan(database: "archive", name: "fs.files", count: scaled(5) / 16 + 1) { index, _ in
                TestDocument { file in
                    file.objectID("_id", UInt64(index))
                    file.string("filename", "scan-\(index).pdf")
                    file.int64("length", 16 * 261_120)
                    file.int32("chunkSize", 261_120)
                }
            },
            CollectionPlan(database: "archive", name: "reports", count: 6) { index, generator in
                // 16 bytes to 15 MB.
                let size = [16, 4 << 10, 200 << 10, 1 << 20, 3 << 20, 15 << 20][index]
                return TestDocument(reserving: size + 256) { report in
                    report.int32("_id", Int32(index))
                    report.binary("body", generator.noise(size / 2))
                    report.string("text", bytes: [UInt8](repeating: 0x20, count: size / 2))
                }
            },
        ]
    }
}

extension String {
    /// With a capital, some of the time: collations ignore it.
    fileprivate func capitalized(_ index: Int) -> String {
        index % 2 == 0 ? self : prefix(1).uppercased() + dropFirst()
    }
}
