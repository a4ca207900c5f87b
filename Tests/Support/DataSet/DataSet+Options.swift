// Every option of a collection and of an index that isn't in the shop.

extension DataSet {
    func optionPlans() -> [CollectionPlan] {
        kinds + indexed + [validated("strict", "error"), validated("moderate", "warn")]
    }

    private func numbered(
        _ name: String,
        _ options: String,
        indexes: [String] = [],
        count: Int = 50
    ) -> CollectionPlan {
        CollectionPlan(database: "options", name: name, options: options, indexes: indexes, count: count) { index, _ in
            TestDocument { document in
                document.int32("_id", Int32(index))
                document.int32("n", Int32(index % 7))
                document.date("at", milliseconds: 1_700_000_000_000)
                document.string("word", index % 2 == 0 ? "Émile" : "emile")
            }
        }
    }

    private var kinds: [CollectionPlan] {
        [
            numbered("clustered", #"{"clusteredIndex": {"key": {"_id": 1}, "unique": true}}"#, count: 300),
            numbered(
                "clustered with a name",
                #"{"clusteredIndex": {"key": {"_id": 1}, "unique": true, "name": "by id"}}"#,
                indexes: [#"{"key": {"n": 1}, "name": "n_1"}"#]
            ),
            numbered("collation", #"{"collation": {"locale": "fr", "strength": 2, "backwards": true}}"#),
            numbered("small capped", #"{"capped": true, "size": 4096}"#, count: 40),
            numbered("images", #"{"changeStreamPreAndPostImages": {"enabled": true}}"#),
            numbered(
                "zlib",
                #"{"storageEngine": {"wiredTiger": {"configString": "block_compressor=zlib"}}}"#
            ),
            CollectionPlan(
                database: "options",
                name: "series without meta",
                options: #"{"timeseries": {"timeField": "t", "granularity": "hours"}}"#,
                count: 300
            ) { index, generator in
                TestDocument { document in
                    document.date("t", milliseconds: 1_600_000_000_000 + Int64(index) * 3_000_000)
                    document.int64("_id", Int64(index))
                    document.int32("v", Int32(generator.below(100)))
                }
            },
        ]
    }

    private var indexed: [CollectionPlan] {
        [
            numbered(
                "indexes",
                "{}",
                indexes: [
                    #"{"key": {"n": 1, "at": -1, "word": 1}, "name": "n_1_at_-1_word_1"}"#,
                    #"{"key": {"n": "hashed", "word": 1}, "name": "compound hashed"}"#,
                    #"{"key": {"word": 1}, "name": "accents", "collation": {"locale": "fr", "strength": 1}}"#,
                    #"{"key": {"flat": "2d"}, "name": "flat", "bits": 20, "min": -500, "max": 500}"#,
                    """
                    {"key": {"$**": 1}, "name": "wildcard", "wildcardProjection": {"secret": 0, "_id": 0}}
                    """,
                    #"{"key": {"at": 1}, "name": "expiry", "expireAfterSeconds": 2147483647, "hidden": true}"#,
                    """
                    {"key": {"n": 1, "_id": 1}, "name": "partial unique", "unique": true,
                     "partialFilterExpression": {"n": {"$gt": 3}}}
                    """,
                    #"{"key": {"x.y.z": 1}, "name": "dots.in $name / and a slash"}"#,
                    #"{"key": {"sphere": "2dsphere", "n": 1}, "name": "old sphere", "2dsphereIndexVersion": 2}"#,
                    #"{"key": {"first": 1, "v": 1}, "name": "version 1", "v": 1}"#,
                    """
                    {"key": {"w": 1}, "name": "engine",
                     "storageEngine": {"wiredTiger": {"configString": "block_compressor=zlib"}}}
                    """,
                ]
            ),
            numbered(
                "text in French",
                "{}",
                indexes: [
                    #"{"key": {"n": 1, "$**": "text"}, "name": "all text", "default_language": "french"}"#
                ]
            ),
            // 63 indexes and `_id_`: as many as a collection may have.
            numbered(
                "many indexes",
                "{}",
                indexes: (0..<63).map { #"{"key": {"f\#($0)": 1}, "name": "f\#($0)_1"}"# },
                count: 1
            ),
        ]
    }

    /// Half of the documents break the rule: they were there before it, and a restore must not lose them.
    private func validated(_ level: String, _ action: String) -> CollectionPlan {
        CollectionPlan(
            database: "options",
            name: "validated \(level)",
            options: """
                {"validator": {"$jsonSchema": {"required": ["n"], "properties": {"n": {"bsonType": "int", "minimum": 10}}}},
                 "validationLevel": "\(level)", "validationAction": "\(action)"}
                """,
            count: 40
        ) { index, _ in
            TestDocument { document in
                document.int32("_id", Int32(index))
                if index % 2 == 0 { document.int32("n", Int32(index + 10)) } else { document.string("n", "wrong") }
            }
        }
    }
}
