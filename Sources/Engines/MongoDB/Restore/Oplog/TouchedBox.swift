import BSON
import Synchronization

/// `TouchedDocuments` for several readers at once.
final class TouchedBox: Sendable {
    private let state: Mutex<TouchedDocuments>

    init(_ touched: TouchedDocuments) { state = Mutex(touched) }

    /// See `TouchedDocuments.see`.
    func see(_ bytes: RawSpan, at start: Int, in namespace: Namespace) throws(BSONError) -> Bool {
        let id = try TouchedDocuments.hashOfID(bytes, at: start)
        return state.withLock { $0.see(id, in: namespace) }
    }

    /// What is known by now.
    var touched: TouchedDocuments { state.withLock { $0 } }
}
