import Foundation

/// What a request is about, as authorization and admission see it.
struct RequestInfo: Sendable, Hashable {
    var path: String
    var verb: String
    var isResource = false
    var group = ""
    var version = ""
    var namespace = ""
    var resource = ""
    var subresource = ""
    var name = ""

    /// Reads method and path; the verbs of resources are `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`
    /// and `deletecollection`, those of other paths the method in small letters.
    init(method: String, path: String, query: Query) {
        self.path = path
        verb = method.lowercased()
        var parts = path.split(separator: "/").map { $0.removingPercentEncoding ?? String($0) }
        guard parts.count >= 3, parts[0] == "api" || (parts[0] == "apis" && parts.count >= 4) else { return }
        if parts[0] == "api" {
            version = parts[1]
            parts.removeFirst(2)
        } else {
            group = parts[1]
            version = parts[2]
            parts.removeFirst(3)
        }
        isResource = true
        if parts[0] == "namespaces", parts.count > 1 {
            if parts.count == 2 || ["status", "finalize"].contains(parts[2]) {
                // A namespace is in itself, as authorization sees it.
                namespace = parts[1]
            } else {
                namespace = parts[1]
                parts.removeFirst(2)
            }
        }
        resource = parts[0]
        if parts.count > 1 { name = parts[1] }
        if parts.count > 2 { subresource = parts[2...].joined(separator: "/") }
        verb =
            switch method {
            case "POST": "create"
            case "PUT": "update"
            case "PATCH": "patch"
            case "DELETE": name.isEmpty ? "deletecollection" : "delete"
            case "GET", "HEAD":
                query.isTrue("watch") ? "watch" : name.isEmpty ? "list" : "get"
            default: method.lowercased()
            }
        if name.isEmpty, verb == "list" || verb == "watch" { name = Self.chosenName(query) }
    }

    /// The one name that a list or watch is about, so that rights on single names cover it.
    private static func chosenName(_ query: Query) -> String {
        let terms = (query["fieldSelector"] ?? "").split(separator: ",")
        let names = terms.compactMap { $0.wholeMatch(of: /metadata\.name==?([^=]+)/)?.1 }
        return names.first.map(String.init) ?? ""
    }
}

/// The query of a request.
struct Query: Sendable {
    private var values: [String: [String]] = [:]

    init(_ text: String) {
        for part in text.split(separator: "&") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = sides.map { side in
                let spaced = side.replacing("+", with: " ")
                return spaced.removingPercentEncoding ?? String(spaced)
            }
            values[decoded[0], default: []].append(decoded.count > 1 ? decoded[1] : "")
        }
    }

    subscript(_ name: String) -> String? { values[name]?.first }
    func all(_ name: String) -> [String] { values[name] ?? [] }
    func isTrue(_ name: String) -> Bool {
        guard let value = self[name] else { return false }
        return !["", "0", "false", "False", "FALSE", "f", "F"].contains(value)
    }
}
