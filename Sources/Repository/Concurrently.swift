/// Runs `work` on all items, at most `limit` at once, and hands each result to `consume` one after another, in no
/// promised order.
func concurrently<Item: Sendable, Output: Sendable>(
    _ items: some Sequence<Item>,
    limit: Int,
    work: @escaping @Sendable (Item) async throws -> Output,
    consume: (Item, Output) async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: (Item, Output).self) { group in
        var running = 0
        for item in items {
            if running >= limit, let (done, output) = try await group.next() {
                running -= 1
                try await consume(done, output)
            }
            group.addTask { (item, try await work(item)) }
            running += 1
        }
        while let (done, output) = try await group.next() { try await consume(done, output) }
    }
}
