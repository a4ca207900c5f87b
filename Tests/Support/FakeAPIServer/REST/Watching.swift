import Kubernetes

/// A watch under way: what it selects, from where, and how it ends.
struct WatchStream: Sendable {
    var type: ResourceType
    var selection: ServerCore.Selection
    var shape: AnswerShape
    var query: Query
    /// Sent before anything else.
    var initial: [JSONTree]
    /// The version behind which changes are sent.
    var start: Int64
    var wantsBookmarks: Bool
    /// Ends the initial events.
    var marksInitialEnd: Bool
    var timeout: Duration
}

extension ServerCore {
    func watch(_ call: Call, _ type: ResourceType) throws -> Reply {
        let selection = try selection(call, type)
        let query = call.query
        let given = query["resourceVersion"] ?? ""
        let sendsInitial = query["sendInitialEvents"] != nil
        let match = query["resourceVersionMatch"] ?? ""
        if sendsInitial, match != "NotOlderThan" {
            throw Self.invalidWatch(
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        }
        if !sendsInitial, !match.isEmpty {
            throw Self.invalidWatch(
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
        }
        let start = given.isEmpty ? 0 : try revision(given)
        let (now, compacted) = store.read { ($0.revision, $0.compacted) }
        if start > now { throw Self.tooLargeRevision(start, now) }
        let wantsState = sendsInitial ? query.isTrue("sendInitialEvents") : start == 0
        if !wantsState, start != 0, start < compacted {
            throw APIError.expired("too old resource version: \(start) (\(compacted))")
        }
        var stream = WatchStream(
            type: type,
            selection: selection,
            shape: try AnswerShape(call.accept),
            query: query,
            initial: [],
            start: start == 0 ? now : start,
            wantsBookmarks: query.isTrue("allowWatchBookmarks"),
            marksInitialEnd: sendsInitial && query.isTrue("sendInitialEvents"),
            timeout: .seconds(Int.random(in: 1800..<3600))
        )
        if let seconds = query["timeoutSeconds"].flatMap({ Int($0) }), seconds > 0 {
            stream.timeout = .seconds(seconds)
        }
        if wantsState {
            let (objects, revision) = store.read { ($0.all(type.storage), $0.revision) }
            stream.initial = objects.sorted { $0.key < $1.key }.map { type.outward($0.value) }.filter(
                selection.contains
            )
            stream.start = revision
        }
        return Reply(content: .watch(stream))
    }

    private static func invalidWatch(_ text: String) -> APIError {
        APIError(code: 422, reason: "Invalid", message: "ListOptions.meta.k8s.io \"\" is invalid: \(text)")
    }

    /// Sends a watch's events until it ends; each is one line.
    func run(_ stream: WatchStream, script: FaultScript.Watching, _ send: ([UInt8]) async throws -> Void) async throws {
        var position = stream.start
        for object in stream.initial { try await send(line("ADDED", object, stream)) }
        if stream.marksInitialEnd, stream.wantsBookmarks, !script.dropsBookmarks {
            try await send(bookmark(position, stream, endsInitial: true))
        }
        let clock = ContinuousClock()
        let deadline = clock.now + stream.timeout
        var nextBookmark = clock.now + options.bookmarkInterval
        while true {
            switch changes(stream, after: position) {
            case .none:
                // Forgotten meanwhile: the client has been too slow, or the history was cut off.
                let error = APIError.expired("too old resource version: \(position)")
                try await send(JSONTree.object(["type": "ERROR", "object": error.status]).bytes + [0x0A])
                return
            case .some(let (lines, end)):
                for line in lines { try await send(line) }
                position = end
            }
            if script.expiresNow() {
                let error = APIError.expired("The resourceVersion for the provided watch is too old.")
                try await send(JSONTree.object(["type": "ERROR", "object": error.status]).bytes + [0x0A])
                return
            }
            guard
                store.read({
                    !$0.isClosed
                        && $0.registry.type(stream.type.group, stream.type.version, stream.type.resource) != nil
                })
            else { return }
            guard clock.now < deadline else {
                if stream.wantsBookmarks, !script.dropsBookmarks { try await send(bookmark(position, stream)) }
                return
            }
            if clock.now >= nextBookmark {
                if stream.wantsBookmarks, !script.dropsBookmarks { try await send(bookmark(position, stream)) }
                nextBookmark = clock.now + options.bookmarkInterval
            }
            await store.bell.wait(past: position, until: min(deadline, nextBookmark))
            try Task.checkCancellation()
        }
    }

    private func changes(_ stream: WatchStream, after position: Int64) -> (lines: [[UInt8]], end: Int64)? {
        let storage = stream.type.storage
        let (entries, revision) = store.read { ($0.changes(after: position, of: storage), $0.revision) }
        guard let entries else { return nil }
        let lines = entries.compactMap { entry -> [UInt8]? in
            let object = stream.type.outward(entry.object)
            let isIn = entry.change != .deleted && stream.selection.contains(object)
            let wasIn = entry.previous.map { stream.selection.contains(stream.type.outward($0)) } ?? false
            switch (wasIn, isIn) {
            case (false, true): return line("ADDED", object, stream)
            case (true, true): return line("MODIFIED", object, stream)
            case (true, false):
                // As it was when it last fitted, with the version of the change that took it out.
                var last = stream.type.outward(entry.previous ?? entry.object)
                last.set("metadata", "resourceVersion", to: .string(entry.object.resourceVersion))
                return line("DELETED", last, stream)
            case (false, false): return nil
            }
        }
        return (lines, revision)
    }

    private func line(_ event: String, _ object: JSONTree, _ stream: WatchStream) -> [UInt8] {
        let shown: JSONTree =
            switch stream.shape {
            case .full: object
            case .partial: Self.partial(object)
            case .table:
                Tables.table([object], stream.type, ["resourceVersion": .string(object.resourceVersion)], stream.query)
            }
        return JSONTree.object(["type": .string(event), "object": shown]).bytes + [0x0A]
    }

    private func bookmark(_ position: Int64, _ stream: WatchStream, endsInitial: Bool = false) -> [UInt8] {
        var metadata: JSONTree = ["resourceVersion": .string(String(position)), "creationTimestamp": .null]
        if endsInitial { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        let object: JSONTree = [
            "kind": .string(stream.shape == .partial ? "PartialObjectMetadata" : stream.type.kind),
            "apiVersion": .string(stream.shape == .partial ? "meta.k8s.io/v1" : stream.type.apiVersion),
            "metadata": metadata,
        ]
        return JSONTree.object(["type": "BOOKMARK", "object": object]).bytes + [0x0A]
    }
}
