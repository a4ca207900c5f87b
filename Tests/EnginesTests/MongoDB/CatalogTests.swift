import BSON
import Testing

@testable import Engines

@Suite("MongoDB catalog, without a server") struct CatalogTests {
    @Test("buckets whose time series another shard defines are told from those that come with their own")
    func foreignSeries() {
        let entries = [
            CatalogEntry(database: "shop", ["name": "here", "type": "timeseries"]),
            CatalogEntry(database: "shop", ["name": "system.buckets.here", "type": "collection"]),
            CatalogEntry(database: "shop", ["name": "system.buckets.there", "type": "collection"]),
            CatalogEntry(database: "other", ["name": "there", "type": "timeseries"]),
            CatalogEntry(database: "shop", ["name": "plain", "type": "collection"]),
        ]
        #expect(
            CatalogRules.seriesDefinedElsewhere(entries) == [Namespace(database: "shop", collection: "there")]
        )
    }
}
