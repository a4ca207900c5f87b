import Foundation
import Kubernetes

extension ServerCore {
    func get(_ call: Call, _ type: ResourceType) throws -> Reply {
        let key = ObjectKey(namespace: type.isNamespaced ? call.info.namespace : "", name: call.info.name)
        guard let object = store.read({ $0.object(type.storage, key) }) else {
            throw APIError.notFound(type.groupResource, call.info.name)
        }
        return try shown(type.outward(object), call, type)
    }

    /// What a query selects by.
    struct Selection: Sendable {
        var namespace: String
        var labels: LabelSelector
        var fields: FieldSelector

        /// Whether labels or fields are asked for.
        var isSelecting: Bool { !labels.requirements.isEmpty || !fields.terms.isEmpty }

        func contains(_ object: JSONTree) -> Bool {
            (namespace.isEmpty || object.namespace == namespace) && labels.matches(object.labels)
                && fields.matches(object)
        }
    }

    func selection(_ call: Call, _ type: ResourceType) throws -> Selection {
        var selection = Selection(
            namespace: type.isNamespaced ? call.info.namespace : "",
            labels: try LabelSelector(query: call.query["labelSelector"] ?? ""),
            fields: try FieldSelector(query: call.query["fieldSelector"] ?? "", type: type)
        )
        if !call.info.name.isEmpty {
            selection.fields.terms.append((["metadata", "name"], call.info.name, true))
        }
        return selection
    }

    func list(_ call: Call, _ type: ResourceType) throws -> Reply {
        if call.query.isTrue("sendInitialEvents") {
            throw APIError(
                code: 422,
                reason: "Invalid",
                message:
                    "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"
            )
        }
        let selection = try selection(call, type)
        let (objects, revision, next, remaining) = try page(call, type, selection)
        var metadata: JSONTree = ["resourceVersion": .string(String(revision))]
        if let next { metadata["continue"] = .string(next) }
        if let remaining { metadata["remainingItemCount"] = .integer(Int64(remaining)) }
        return try shownList(objects.map(type.outward), metadata, call, type)
    }

    private struct Continuation {
        var revision: Int64
        var start: String

        var text: String {
            let tree: JSONTree = ["v": "meta.k8s.io/v1", "rv": .integer(revision), "start": .string(start)]
            return Data(tree.bytes).base64EncodedString()
        }

        init(revision: Int64, start: String) {
            self.revision = revision
            self.start = start
        }

        init?(_ text: String) {
            // A token that can't be read is no token; the caller says so.
            guard let data = Data(base64Encoded: text), let tree = try? JSONTree(parsing: [UInt8](data)),
                let revision = tree["rv"]?.integer, let start = tree["start"]?.string
            else { return nil }
            self.init(revision: revision, start: start)
        }
    }

    private func page(_ call: Call, _ type: ResourceType, _ selection: Selection) throws
        -> ([JSONTree], Int64, String?, Int?)
    {
        let limit = Int(call.query["limit"] ?? "0") ?? 0
        let given = call.query["resourceVersion"] ?? ""
        let match = call.query["resourceVersionMatch"] ?? ""
        var start = ""
        var wanted: Int64?
        if let token = call.query["continue"], !token.isEmpty {
            guard given.isEmpty || given == "0" else {
                throw APIError.badRequest("specifying resource version is not allowed when using continue")
            }
            guard let continuation = Continuation(token) else {
                throw APIError.badRequest("continue key is not valid: illegal base64 data")
            }
            (start, wanted) = (continuation.start, continuation.revision)
        } else if !match.isEmpty {
            guard ["Exact", "NotOlderThan"].contains(match) else {
                throw APIError.badRequest("resourceVersionMatch: Unsupported value: \"\(match)\"")
            }
            guard !given.isEmpty else {
                throw APIError.badRequest("resourceVersionMatch is forbidden unless resourceVersion is provided")
            }
            if match == "Exact" { wanted = try revision(given) }
        }
        let least = given.isEmpty ? 0 : try revision(given)
        let storage = type.storage
        let (found, now) = store.read { ($0.snapshot(of: storage, at: wanted ?? $0.revision), $0.revision) }
        if max(least, wanted ?? 0) > now { throw Self.tooLargeRevision(max(least, wanted ?? 0), now) }
        guard let found else {
            throw APIError.expired(
                start.isEmpty
                    ? "The resourceVersion for the provided list is too old."
                    : "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list."
            )
        }
        let revision = wanted ?? now
        let first = start.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let after = first.count == 2 ? ObjectKey(namespace: first[0], name: first[1]) : nil
        let keys = found.keys.filter { key in
            (selection.namespace.isEmpty || key.namespace == selection.namespace) && after.map { key > $0 } ?? true
        }.sorted()
        var chosen: [JSONTree] = []
        var last = ObjectKey(namespace: "", name: "")
        for (index, key) in keys.enumerated() {
            guard let object = found[key], selection.contains(type.outward(object)) else { continue }
            if limit > 0, chosen.count == limit {
                let token = Continuation(revision: revision, start: "\(last.namespace)/\(last.name)").text
                return (chosen, revision, token, selection.isSelecting ? nil : keys.count - index)
            }
            chosen.append(object)
            last = key
        }
        return (chosen, revision, nil, nil)
    }

    /// A version that a client sends back.
    func revision(_ text: String) throws -> Int64 {
        guard let number = Int64(text), number >= 0 else {
            throw APIError.badRequest(
                "Invalid value: \"\(text)\": strconv.ParseUint: parsing \"\(text)\": invalid syntax"
            )
        }
        return number
    }

    static func tooLargeRevision(_ wanted: Int64, _ now: Int64) -> APIError {
        var error = APIError(
            code: 504,
            reason: "Timeout",
            message: "Too large resource version: \(wanted), current: \(now)",
            retryAfter: 1
        )
        error.details["causes"] = [["reason": "ResourceVersionTooLarge", "message": "Too large resource version"]]
        return error
    }
}

extension ResourceType {
    /// Under what its objects are kept: events of both groups are the same.
    var storage: GroupResource {
        group == "events.k8s.io" ? GroupResource(group: "", resource: "events") : groupResource
    }

    private static let eventFields = [
        ("involvedObject", "regarding"), ("message", "note"), ("reportingComponent", "reportingController"),
        ("source", "deprecatedSource"), ("firstTimestamp", "deprecatedFirstTimestamp"),
        ("lastTimestamp", "deprecatedLastTimestamp"), ("count", "deprecatedCount"),
    ]

    /// A stored object as this resource shows it.
    func outward(_ object: JSONTree) -> JSONTree {
        var object = object
        if group == "events.k8s.io" { Self.rename(&object, Self.eventFields) }
        if object["apiVersion"]?.string != apiVersion { object["apiVersion"] = .string(apiVersion) }
        return object
    }

    /// An object of this resource as it is kept.
    func inward(_ object: JSONTree) -> JSONTree {
        guard group == "events.k8s.io" else { return object }
        var object = object
        Self.rename(&object, Self.eventFields.map { ($1, $0) })
        object["apiVersion"] = "v1"
        return object
    }

    private static func rename(_ object: inout JSONTree, _ names: [(String, String)]) {
        for (from, to) in names {
            guard let value = object[from] else { continue }
            object[from] = nil
            object[to] = value
        }
    }
}
