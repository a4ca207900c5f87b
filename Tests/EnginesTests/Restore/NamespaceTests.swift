import BackupModel
import Testing

@testable import Engines

@Suite("Restore: which namespaces, under which names")
struct NamespaceTests {
    @Test(
        "a pattern matches what it says",
        arguments: [
            ("shop.orders", "shop.orders", true),
            ("shop.orders", "shop.orders2", false),
            ("shop.*", "shop.orders", true),
            ("shop.*", "shop.a.b.c", true),
            ("shop.*", "shop2.orders", false),
            ("*", "anything.at.all", true),
            ("*.orders", "shop.orders", true),
            ("*.orders", "shop.orders.old", false),
            ("s*p.o*s", "shop.orders", true),
            ("s*p.o*s", "shop.order", false),
            ("*.a*b*c", "x.aXbYc", true),
            ("*.a*b*c", "x.acb", false),
            ("ab*ba.x", "aba.x", false),
            ("ab*ba.x", "abba.x", true),
            ("shop.a\\*b", "shop.a*b", true),
            ("shop.a\\*b", "shop.aXb", false),
            ("shop.a\\\\*", "shop.a\\b", true),
            ("shop.日*", "shop.日本", true),
            ("**.x", "db.x", true),
        ]
    )
    func matching(pattern: String, name: String, fits: Bool) {
        #expect(NamespacePattern(pattern).matches(name) == fits)
    }

    @Test("captures of several wild cards land in their places")
    func captures() throws {
        let captures = try #require(NamespacePattern("prod_*.*_2024_*").captures(in: "prod_shop.orders_2024_q1_x"))
        #expect(captures == ["shop", "orders", "q1_x"])
        #expect(NamespacePattern("copy_*.y2024_*_of_*").filled(with: captures) == "copy_shop.y2024_orders_of_q1_x")
    }

    @Test("include, exclude and renames decide in that order")
    func map() throws {
        let map = try NamespaceMap(
            NamespaceSelection(
                include: ["shop.*", "crm.people"],
                exclude: ["shop.tmp_*"],
                renames: [.init(from: "shop.orders", to: "shop.first"), .init(from: "shop.*", to: "copy.*_old")]
            )
        )
        #expect(map.selects(Namespace(database: "shop", collection: "orders")))
        #expect(!map.selects(Namespace(database: "shop", collection: "tmp_1")))
        #expect(!map.selects(Namespace(database: "crm", collection: "cities")))
        #expect(map.target(of: Namespace(database: "shop", collection: "orders"))?.description == "shop.first")
        #expect(map.target(of: Namespace(database: "shop", collection: "a.b"))?.description == "copy.a.b_old")
        #expect(map.target(of: Namespace(database: "crm", collection: "people"))?.description == "crm.people")
    }

    @Test("the buckets of a time-series collection follow it")
    func buckets() throws {
        let map = try NamespaceMap(
            NamespaceSelection(include: ["iot.t*"], renames: [.init(from: "iot.*", to: "copy.*2")])
        )
        let buckets = Namespace(database: "iot", collection: "system.buckets.temperature")
        #expect(map.selects(buckets))
        #expect(map.target(of: buckets)?.description == "copy.system.buckets.temperature2")
        #expect(!map.selects(Namespace(database: "iot", collection: "system.buckets.humidity")))
    }

    @Test(
        "a selection that can't be understood is refused with the pattern in it",
        arguments: [
            NamespaceSelection(include: ["shop"]),
            NamespaceSelection(exclude: ["shop."]),
            NamespaceSelection(renames: [.init(from: "shop.*", to: "copy.x")]),
            NamespaceSelection(renames: [.init(from: "shop.x", to: "copy.*")]),
        ]
    )
    func badSelections(selection: NamespaceSelection) throws {
        let failure = try #require(throws: JobFailure.self) { _ = try NamespaceMap(selection) }
        #expect(failure.code == "badSelection")
        #expect(failure.message.contains("shop"))
        #expect(!failure.isRetryable)
    }

    @Test("names that the server would refuse are told")
    func illegalNames() {
        #expect(Namespace(database: "a b", collection: "x").illegality != nil)
        #expect(Namespace(database: String(repeating: "d", count: 64), collection: "x").illegality != nil)
        #expect(Namespace(database: "d", collection: String(repeating: "x", count: 254)).illegality != nil)
        #expect(Namespace(database: "d", collection: String(repeating: "x", count: 253)).illegality == nil)
        #expect(Namespace(database: "d", collection: "a*b/c% é$").illegality == nil)
    }
}
