import ObjectStorage
import Testing

/// The contract of `ObjectStore`, run against every implementation.
@Suite("every object store")
struct ConformanceTests {
    @Test("gives back what was put, whole and by range", arguments: StoreKind.allCases)
    func roundTrip(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let bytes = pseudoRandomBytes(100_003)
            try await store.put("data/ab/abcdef", bytes)
            #expect(try await store.get("data/ab/abcdef") == bytes)
            #expect(try await store.stat("data/ab/abcdef") == ObjectInfo(key: "data/ab/abcdef", size: bytes.count))
            for range in [0..<1, 0..<100_003, 99_999..<100_003, 17..<70_000, 100_002..<100_003] {
                #expect(try await store.get("data/ab/abcdef", range: range) == Array(bytes[range]))
            }
            #expect(try await store.get("data/ab/abcdef", range: 5..<5) == [])
        }
    }

    @Test("refuses a range that reaches past the end", arguments: StoreKind.allCases)
    func rangePastTheEnd(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.put("pack", pseudoRandomBytes(100))
            for range in [90..<101, 100..<101, 5000..<6000] {
                let error = await #expect(throws: ObjectStorageError.self) {
                    _ = try await store.get("pack", range: range)
                }
                #expect(error?.code == .corrupt)
                #expect(error?.message.contains("pack'") == true)
            }
        }
    }

    @Test("holds empty objects", arguments: StoreKind.allCases)
    func emptyObject(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.put("empty", [])
            #expect(try await store.get("empty") == [])
            #expect(try await store.stat("empty").size == 0)
            #expect(try await store.list(prefix: "") == [ObjectInfo(key: "empty", size: 0)])
        }
    }

    @Test("replaces an object whole", arguments: StoreKind.allCases)
    func replace(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.put("key", pseudoRandomBytes(5000, seed: 1))
            try await store.put("key", pseudoRandomBytes(30, seed: 2))
            #expect(try await store.get("key") == pseudoRandomBytes(30, seed: 2))
            #expect(try await store.list(prefix: "k") == [ObjectInfo(key: "key", size: 30)])
        }
    }

    @Test("says that an object isn't there", arguments: StoreKind.allCases)
    func missing(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.put("there/is", [1])
            for key in ["no", "there", "there/no", "there/is/below", "no/such/thing"] {
                let errors = [
                    await #expect(throws: ObjectStorageError.self) { _ = try await store.get(key) },
                    await #expect(throws: ObjectStorageError.self) { _ = try await store.get(key, range: 0..<1) },
                    await #expect(throws: ObjectStorageError.self) { _ = try await store.get(key, range: 3..<3) },
                    await #expect(throws: ObjectStorageError.self) { _ = try await store.stat(key) },
                ]
                for error in errors {
                    #expect(error?.code == .notFound)
                    #expect(error?.isTransient == false)
                    #expect(error?.message.contains("\(key)'") == true)
                }
                try await store.delete(key)
            }
            #expect(try await store.get("there/is") == [1])
        }
    }

    @Test("deletes, and deletes again", arguments: StoreKind.allCases)
    func delete(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.put("a/b", [1, 2])
            try await store.put("a/c", [3])
            try await store.delete("a/b")
            try await store.delete("a/b")
            #expect(try await store.list(prefix: "") == [ObjectInfo(key: "a/c", size: 1)])
        }
    }

    @Test("lists by prefix, also one that ends within a name", arguments: StoreKind.allCases)
    func list(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let keys = [
                "config", "data/00/1", "data/00/2", "data/01/3", "data2/x", "index/a", "keys/k", "snapshots/s1",
            ]
            for (index, key) in keys.enumerated() {
                try await store.put(key, [UInt8](repeating: 7, count: index))
            }
            func listed(_ prefix: String) async throws -> [String] {
                try await store.list(prefix: prefix).map(\.key).sorted()
            }
            #expect(try await listed("") == keys.sorted())
            #expect(try await listed("data") == ["data/00/1", "data/00/2", "data/01/3", "data2/x"])
            #expect(try await listed("data/") == ["data/00/1", "data/00/2", "data/01/3"])
            #expect(try await listed("data/00/") == ["data/00/1", "data/00/2"])
            #expect(try await listed("data/0") == ["data/00/1", "data/00/2", "data/01/3"])
            #expect(try await listed("con") == ["config"])
            #expect(try await listed("config") == ["config"])
            #expect(try await listed("config/") == [])
            #expect(try await listed("nothing/") == [])
            #expect(try await store.list(prefix: "keys/") == [ObjectInfo(key: "keys/k", size: 6)])
        }
    }

    @Test("lists nothing in an empty store", arguments: StoreKind.allCases)
    func listEmpty(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let all = try await store.list(prefix: "")
            let snapshots = try await store.list(prefix: "snapshots/")
            #expect(all.isEmpty && snapshots.isEmpty)
        }
    }

    @Test(
        "keeps odd keys apart",
        arguments: StoreKind.allCases
    )
    func oddKeys(_ kind: StoreKind) async throws {
        let keys = [
            "sp ace", "plus+plus", "per%20cent", "am&per=sand", "qu?estion", "ha#sh", "ti~lde", "co:lon,com;ma",
            "quo'te\"d", "br(ack)[et]{s}", "<tag>&amp;", "dollar$at@star*bang!", "ünïcödé/日本語/🐟",
            "e\u{301}", "\u{e9}", "UPPER", "upper", "..dots..", "...", "-dash", "trailing.", "a|b^c`d",
        ]
        try await kind.withStore { store in
            for (index, key) in keys.enumerated() {
                try await store.put("odd/" + key, [UInt8(index)])
            }
            for (index, key) in keys.enumerated() {
                #expect(try await store.get("odd/" + key) == [UInt8(index)], "\(key)")
                #expect(try await store.stat("odd/" + key).size == 1, "\(key)")
            }
            // Compared as bytes: Swift's strings call e + accent and é equal, stores don't.
            let listed = try await store.list(prefix: "odd/").map { escaped($0.key) }
            #expect(Set(keys.map { escaped("odd/\($0)") }).symmetricDifference(listed) == [])
            #expect(listed.count == keys.count)
            for key in keys { try await store.delete("odd/" + key) }
            #expect(try await store.list(prefix: "odd/").isEmpty)
        }
    }

    @Test("refuses keys that not every store can hold", arguments: StoreKind.allCases)
    func badKeys(_ kind: StoreKind) async throws {
        let long = String(repeating: "x", count: 256)
        let deep = Array(repeating: "yyyyyyyyy", count: 110).joined(separator: "/")
        try await kind.withStore { store in
            for key in [
                "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "nul\0", "new\nline", "back\\slash",
                long, deep,
                ".remora-tmp-1", "a/.remora-tmp-1",
            ] {
                let errors = [
                    await #expect(throws: ObjectStorageError.self) { try await store.put(key, [1]) },
                    await #expect(throws: ObjectStorageError.self) { _ = try await store.get(key) },
                    await #expect(throws: ObjectStorageError.self) { _ = try await store.stat(key) },
                    await #expect(throws: ObjectStorageError.self) { try await store.delete(key) },
                ]
                for error in errors { #expect(error?.code == .invalidConfiguration, "\(key)") }
            }
            for prefix in ["/", "/a", "a//", "../", "a/../"] {
                let error = await #expect(throws: ObjectStorageError.self) { _ = try await store.list(prefix: prefix) }
                #expect(error?.code == .invalidConfiguration, "\(prefix)")
            }
        }
    }

    @Test("writes only if absent when asked to", arguments: StoreKind.allCases)
    func ifAbsent(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.put("sessions/one", [1], options: PutOptions(ifAbsent: true))
            let error = await #expect(throws: ObjectStorageError.self) {
                try await store.put("sessions/one", [2], options: PutOptions(ifAbsent: true))
            }
            #expect(error?.code == .alreadyExists)
            #expect(error?.isTransient == false)
            #expect(try await store.get("sessions/one") == [1])
            #expect(try await store.list(prefix: "").map(\.key) == ["sessions/one"])
        }
    }

    @Test("lets exactly one of many conditional writers win", arguments: StoreKind.allCases)
    func race(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            for round in 0..<3 {
                let winners = try await withThrowingTaskGroup(of: UInt8?.self) { group in
                    for writer in UInt8(0)..<16 {
                        group.addTask {
                            do {
                                try await store.put(
                                    "race/\(round)",
                                    [UInt8](repeating: writer, count: 5000),
                                    options: PutOptions(ifAbsent: true)
                                )
                                return writer
                            } catch let error as ObjectStorageError where error.code == .alreadyExists {
                                return nil
                            }
                        }
                    }
                    return try await group.reduce(into: [UInt8]()) { if let winner = $1 { $0.append(winner) } }
                }
                #expect(winners.count == 1)
                let stored = try await store.get("race/\(round)")
                #expect(stored == [UInt8](repeating: winners.first ?? 255, count: 5000))
            }
        }
    }

    @Test("readers see the old or the new object, never a mixture", arguments: StoreKind.allCases)
    func atomicReplace(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.put("key", [UInt8](repeating: 0, count: 300_000))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for round in UInt8(1)...8 {
                        try await store.put("key", [UInt8](repeating: round, count: 300_000 + Int(round)))
                    }
                }
                group.addTask {
                    for _ in 0..<30 {
                        let bytes = try await store.get("key")
                        let round = bytes.first ?? 255
                        #expect(bytes == [UInt8](repeating: round, count: 300_000 + Int(round)))
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("takes many puts at once, packs of 16 MiB and more among them", arguments: StoreKind.allCases)
    func manyPuts(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let pack = pseudoRandomBytes(17 << 20)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await store.put("data/pack", pack) }
                for index in 0..<40 {
                    group.addTask {
                        try await store.put("small/\(index)", [UInt8](repeating: UInt8(index), count: index))
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await store.get("data/pack") == pack)
            let range = 16_777_000..<16_778_000
            #expect(try await store.get("data/pack", range: range) == Array(pack[range]))
            let small = try await store.list(prefix: "small/")
            #expect(Set(small) == Set((0..<40).map { ObjectInfo(key: "small/\($0)", size: $0) }))
        }
    }

    @Test("doesn't begin a call in a cancelled task", arguments: StoreKind.allCases)
    func cancellation(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                try await store.put("never", [1])
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let all = try await store.list(prefix: "")
            #expect(all.isEmpty)
        }
    }
}

/// The text with everything but plain letters as the numbers of its bytes.
private func escaped(_ text: String) -> String {
    text.utf8.map { (0x61...0x7A).contains($0) || $0 == 0x2F ? String(Unicode.Scalar($0)) : "\\\($0)" }.joined()
}
