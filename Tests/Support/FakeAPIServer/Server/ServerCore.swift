import Foundation
import Kubernetes
import Synchronization

/// Everything behind the connections: objects, rules, and what tests have arranged.
final class ServerCore: Sendable {
    let options: FakeAPIServerOptions
    let store: Store
    let tokens: TokenBook
    let log = RequestLog()
    let connections = ConnectionBook()
    let faults = FaultScript()
    let mutators = MutatorList()
    let services = ServiceTable()

    init(_ options: FakeAPIServerOptions) {
        self.options = options
        store = Store(historyWindow: options.historyWindow)
        tokens = TokenBook(lifetime: options.now)
        store.write { state in Bootstrap.fill(&state, now: options.now()) }
    }

    var now: Date { options.now() }

    /// Answers one request whose caller is known.
    func respond(_ call: Call) async -> Reply {
        do {
            let info = call.info
            if options.enforcesRBAC { try authorize(info, call.identity) }
            guard info.isResource else { return try discovery(call) }
            guard let type = store.read({ $0.registry.type(info.group, info.version, info.resource) }) else {
                throw APIError.noSuchResource
            }
            try check(info, type)
            if !info.subresource.isEmpty, info.subresource != "status" {
                return try await subresource(call, type)
            }
            return try await carryOut(call, type)
        } catch let error as APIError {
            return .failure(error)
        } catch {
            return .failure(.internalError("\(error)"))
        }
    }

    private func check(_ info: RequestInfo, _ type: ResourceType) throws {
        if !info.subresource.isEmpty, !type.subresources.contains(info.subresource) { throw APIError.noSuchResource }
        let isOwnNamespace = type.resource == "namespaces" && type.group.isEmpty
        if !type.isNamespaced, !info.namespace.isEmpty, !isOwnNamespace { throw APIError.noSuchResource }
        if type.isNamespaced, info.namespace.isEmpty, !["list", "watch"].contains(info.verb) {
            // Only lists span namespaces.
            throw info.verb == "create" && info.name.isEmpty
                ? APIError.methodNotAllowed("the server does not allow this method on the requested resource")
                : APIError.noSuchResource
        }
        if type.isVirtual, info.verb != "create" {
            throw APIError.methodNotAllowed("the server does not allow this method on the requested resource")
        }
    }

    private func carryOut(_ call: Call, _ type: ResourceType) async throws -> Reply {
        if call.query["dryRun"].map({ $0 != "All" }) ?? false {
            throw APIError.badRequest(
                "dryRun: Unsupported value: \"\(call.query["dryRun"] ?? "")\": supported values: \"All\""
            )
        }
        switch call.info.verb {
        case "get": return try get(call, type)
        case "list": return try list(call, type)
        case "watch": return try watch(call, type)
        case "create":
            guard call.info.name.isEmpty else {
                throw APIError.methodNotAllowed("the server does not allow this method on the requested resource")
            }
            if type.isVirtual { return try review(call, type) }
            let object = try decode(call, type)
            return try shown(try await create(call, type, object), call, type, status: 201)
        case "update":
            guard !call.info.name.isEmpty else {
                throw APIError.methodNotAllowed("the server does not allow this method on the requested resource")
            }
            return try await replace(call, type)
        case "patch": return try await patch(call, type)
        case "delete": return try await delete(call, type)
        case "deletecollection": return try await deleteCollection(call, type)
        default: throw APIError.methodNotAllowed("the server does not allow this method on the requested resource")
        }
    }
}
