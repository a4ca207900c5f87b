import Kubernetes
import Synchronization
import TestSupport

/// Keeps objects by path with versions, as far as leases, configuration maps and events need it.
final class ToyStore: Sendable {
    private let state = Mutex<(objects: [String: JSONTree], version: Int64)>(([:], 0))
    private let isDown = Mutex(false)

    subscript(path: String) -> JSONTree? {
        get { state.withLock { $0.objects[path] } }
        set {
            state.withLock { state in
                state.version += 1
                state.objects[path] = newValue.map { Self.versioned($0, state.version) }
            }
        }
    }

    var paths: [String] { state.withLock { $0.objects.keys.sorted() } }

    /// Answers nothing but 503 from now on, or no longer.
    func set(down: Bool) { isDown.withLock { $0 = down } }

    func answer(_ request: RawRequest, _ connection: RawConnection) -> Bool {
        if isDown.withLock({ $0 }) { return connection.fail(503, "ServiceUnavailable") }
        let path = String(request.path.prefix { $0 != "?" })
        let body = try? JSONTree(parsing: request.body)
        let (code, tree) = state.withLock { state -> (Int, JSONTree) in
            let key = request.method == "POST" ? "\(path)/\(body?[path: "metadata", "name"]?.string ?? "")" : path
            let present = state.objects[key]
            switch (request.method, present) {
            case ("GET", let present?): return (200, present)
            case ("POST", nil), ("PUT", .some):
                let given = body?[path: "metadata", "resourceVersion"]
                if let present, given != present[path: "metadata", "resourceVersion"] {
                    return (409, failure(409, "Conflict"))
                }
                state.version += 1
                let stored = Self.versioned(body ?? .null, state.version)
                state.objects[key] = stored
                return (200, stored)
            case ("PATCH", .some(var present)):
                state.version += 1
                present.merge(body ?? .null)
                state.objects[key] = Self.versioned(present, state.version)
                return (200, present)
            case ("POST", .some): return (409, failure(409, "AlreadyExists"))
            default: return (404, failure(404, "NotFound"))
            }
        }
        return connection.json(code, tree)
    }

    private static func versioned(_ tree: JSONTree, _ version: Int64) -> JSONTree {
        var object = KubernetesObject(tree)
        object.resourceVersion = "\(version)"
        return object.tree
    }
}
