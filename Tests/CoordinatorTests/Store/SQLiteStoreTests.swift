import Testing

@testable import Coordinator

/// What only this store has; its contract is proven by ``StoreConformanceTests``.
@Suite struct SQLiteStoreTests {
    @Test("a place that can't hold the state is told in a sentence")
    func unusable() {
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: "/nowhere/at/all/state.sqlite") }
        #expect(error?.description.contains("can't open the state in /nowhere/at/all/state.sqlite") == true)
    }
}
