// Names that a path, a URL, a file system or a hasty programmer would trip over.

extension DataSet {
    func namePlans() -> [CollectionPlan] {
        let collections = [
            "with space", " leading and trailing ", "slash/in/it", "up/../down", "per%cent", "%2F", "a%", "plus+plus",
            "back\\slash", "quote\"s and 'more'", "new\nline", "tab\there", "star*question?", "colon:semi;comma,",
            "angle<>pipe|", "amp&=equals#hash", "{\"json\": true}", "dots..in.it", "ends.", "Case", "case", "ümlaut",
            "u\u{308}mlaut",
            "emoji 🐟", "-dash", "~tilde", "null", "CON", "oplog", "prelude", "remora", "a", "a.metadata",
            "a.metadata.json", "a.bson", "system", "systemd.units", "日本語の名前", "\u{202e}right to left",
            String(repeating: "漢", count: 60), String(repeating: "%", count: 120),
            // The longest: 255 bytes with database and dot.
            String(repeating: "x", count: 254 - "odd-names".utf8.count),
        ]
        let databases = [
            "Ünïcödé-数据", "per%cent+plus", "db&=#?*:|<>,;", String(repeating: "d", count: 63), "-", "admin",
        ]
        return collections.map { named("odd-names", $0) }
            + databases.map { named($0, $0 == "admin" ? "app settings" : "things") }
    }

    private func named(_ database: String, _ name: String) -> CollectionPlan {
        CollectionPlan(
            database: database,
            name: name,
            indexes: [#"{"key": {"name": 1}, "name": "name_1"}"#],
            count: 3
        ) { index, _ in
            TestDocument { document in
                document.int32("_id", Int32(index))
                document.string("name", name)
            }
        }
    }
}
