/// A few connections to the primary, lent one at a time.
actor ConnectionPool {
    private var idle: [MongoConnection]
    private var waiting: [CheckedContinuation<MongoConnection, Never>] = []
    /// How many there are.
    nonisolated let count: Int

    /// Makes the connections; each connects with its first command.
    init(
        _ configuration: MongoDBConfiguration,
        host: String,
        count: Int,
        socketTimeoutMilliseconds: Int32? = nil
    ) throws(MongoError) {
        var connections: [MongoConnection] = []
        for _ in 0..<max(1, count) {
            connections.append(
                try MongoConnection(
                    configuration,
                    host: host,
                    socketTimeoutMilliseconds: socketTimeoutMilliseconds
                )
            )
        }
        idle = connections
        self.count = connections.count
    }

    /// Lends a connection to `body`, waiting until one is free.
    nonisolated func use<Result>(_ body: (MongoConnection) async throws -> Result) async throws -> Result {
        try Task.checkCancellation()
        let connection = await take()
        do {
            let result = try await body(connection)
            await give(connection)
            return result
        } catch {
            await give(connection)
            throw error
        }
    }

    private func take() async -> MongoConnection {
        if let connection = idle.popLast() { return connection }
        return await withCheckedContinuation { waiting.append($0) }
    }

    private func give(_ connection: MongoConnection) {
        if waiting.isEmpty {
            idle.append(connection)
        } else {
            waiting.removeFirst().resume(returning: connection)
        }
    }
}

extension ConnectionPool {
    /// Runs `body` for every item, as many at once as there are connections.
    ///
    /// The first error ends it: what has begun is finished, what hasn't is not begun.
    nonisolated func forEach<Item: Sendable>(
        _ items: [Item],
        _ body: @escaping @Sendable (Item, MongoConnection) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var rest = items[...]
            for item in rest.prefix(count) { group.addTask { try await self.use { try await body(item, $0) } } }
            rest = rest.dropFirst(count)
            while try await group.next() != nil {
                guard let item = rest.popFirst() else { continue }
                group.addTask { try await self.use { try await body(item, $0) } }
            }
        }
    }
}
