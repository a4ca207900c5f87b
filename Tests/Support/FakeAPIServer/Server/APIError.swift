import Kubernetes

/// Why a request is refused: what becomes a `Status` object.
struct APIError: Error, Sendable, CustomStringConvertible {
    var code: Int
    var reason: String
    var message: String
    var details: [String: JSONTree] = [:]
    /// Seconds, for the header `Retry-After`.
    var retryAfter: Int?

    var description: String { "\(code) \(reason): \(message)" }

    /// The object that is sent.
    var status: JSONTree {
        var status: JSONTree = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure",
            "message": .string(message), "code": .integer(Int64(code)),
        ]
        if !reason.isEmpty { status["reason"] = .string(reason) }
        var details = details
        if let retryAfter { details["retryAfterSeconds"] = .integer(Int64(retryAfter)) }
        if !details.isEmpty { status["details"] = .object(details) }
        return status
    }
}

extension APIError {
    static func badRequest(_ message: String) -> APIError {
        APIError(code: 400, reason: "BadRequest", message: message)
    }

    static var unauthorized: APIError {
        APIError(code: 401, reason: "Unauthorized", message: "Unauthorized")
    }

    static func forbidden(_ resource: GroupResource, _ name: String, _ why: String) -> APIError {
        let subject = name.isEmpty ? "" : " \"\(name)\""
        return APIError(
            code: 403,
            reason: "Forbidden",
            message: "\(resource)\(subject) is forbidden: \(why)",
            details: resource.details(name)
        )
    }

    static func notFound(_ resource: GroupResource, _ name: String) -> APIError {
        APIError(
            code: 404,
            reason: "NotFound",
            message: "\(resource) \"\(name)\" not found",
            details: resource.details(name)
        )
    }

    /// No such path, or no such resource in the group.
    static var noSuchResource: APIError {
        APIError(
            code: 404,
            reason: "NotFound",
            message: "the server could not find the requested resource"
        )
    }

    static func methodNotAllowed(_ message: String) -> APIError {
        APIError(code: 405, reason: "MethodNotAllowed", message: message)
    }

    static func notAcceptable(_ message: String) -> APIError {
        APIError(code: 406, reason: "NotAcceptable", message: message)
    }

    static func alreadyExists(_ resource: GroupResource, _ name: String) -> APIError {
        APIError(
            code: 409,
            reason: "AlreadyExists",
            message: "\(resource) \"\(name)\" already exists",
            details: resource.details(name)
        )
    }

    static func conflict(_ resource: GroupResource, _ name: String, _ why: String) -> APIError {
        APIError(
            code: 409,
            reason: "Conflict",
            message: "Operation cannot be fulfilled on \(resource) \"\(name)\": \(why)",
            details: resource.details(name)
        )
    }

    static func stale(_ resource: GroupResource, _ name: String) -> APIError {
        conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again"
        )
    }

    static func expired(_ message: String) -> APIError {
        APIError(code: 410, reason: "Expired", message: message)
    }

    static func tooLarge(_ message: String) -> APIError {
        APIError(code: 413, reason: "RequestEntityTooLarge", message: message)
    }

    static func unsupportedMediaType(_ message: String) -> APIError {
        APIError(code: 415, reason: "UnsupportedMediaType", message: message)
    }

    static func invalid(_ kind: GroupKind, _ name: String, _ errors: [FieldError]) -> APIError {
        let texts = errors.map(\.description)
        let list = texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
        var details = GroupResource(group: kind.group, resource: kind.kind).details(name)
        details["causes"] = .array(errors.map(\.cause))
        return APIError(
            code: 422,
            reason: "Invalid",
            message: "\(kind) \"\(name)\" is invalid: \(list)",
            details: details
        )
    }

    static func internalError(_ message: String) -> APIError {
        APIError(
            code: 500,
            reason: "InternalError",
            message: "Internal error occurred: \(message)",
            details: ["causes": [["message": .string(message)]]]
        )
    }
}

/// A resource within its group; `pods`, `backupsessions.remora.dev`.
struct GroupResource: Sendable, Hashable, CustomStringConvertible {
    var group: String
    var resource: String
    var description: String { group.isEmpty ? resource : "\(resource).\(group)" }

    func details(_ name: String) -> [String: JSONTree] {
        var details: [String: JSONTree] = ["kind": .string(resource)]
        if !name.isEmpty { details["name"] = .string(name) }
        if !group.isEmpty { details["group"] = .string(group) }
        return details
    }
}

/// A kind within its group; `Pod`, `BackupSession.remora.dev`.
struct GroupKind: Sendable, Hashable, CustomStringConvertible {
    var group: String
    var kind: String
    var description: String { group.isEmpty ? kind : "\(kind).\(group)" }
}

/// One thing wrong with one field.
struct FieldError: Sendable, Hashable, CustomStringConvertible {
    /// As the API server names the reasons of causes.
    enum Kind: String {
        case required = "FieldValueRequired"
        case invalid = "FieldValueInvalid"
        case notSupported = "FieldValueNotSupported"
        case duplicate = "FieldValueDuplicate"
        case forbidden = "FieldValueForbidden"
        case tooLong = "FieldValueTooLong"
        case tooMany = "FieldValueTooMany"
        case notFound = "FieldValueNotFound"
        case typeInvalid = "FieldValueTypeInvalid"
    }

    var kind: Kind
    var field: String
    /// What stands behind the field's name.
    var text: String

    var description: String { "\(field.isEmpty ? "<nil>" : field): \(text)" }
    var cause: JSONTree {
        ["reason": .string(kind.rawValue), "message": .string(text), "field": .string(field.isEmpty ? "<nil>" : field)]
    }

    static func required(_ field: String, _ detail: String = "") -> FieldError {
        FieldError(kind: .required, field: field, text: "Required value" + (detail.isEmpty ? "" : ": \(detail)"))
    }

    static func invalid(_ field: String, _ value: JSONTree, _ detail: String) -> FieldError {
        FieldError(kind: .invalid, field: field, text: "Invalid value: \(shown(value)): \(detail)")
    }

    static func notSupported(_ field: String, _ value: JSONTree, _ allowed: [String]) -> FieldError {
        let list = allowed.map { "\"\($0)\"" }.joined(separator: ", ")
        return FieldError(
            kind: .notSupported,
            field: field,
            text: "Unsupported value: \(shown(value)): supported values: \(list)"
        )
    }

    static func duplicate(_ field: String, _ value: JSONTree) -> FieldError {
        FieldError(kind: .duplicate, field: field, text: "Duplicate value: \(shown(value))")
    }

    static func forbidden(_ field: String, _ detail: String) -> FieldError {
        FieldError(kind: .forbidden, field: field, text: "Forbidden: \(detail)")
    }

    static func tooLong(_ field: String, atMost limit: Int, unit: String = "bytes") -> FieldError {
        FieldError(kind: .tooLong, field: field, text: "Too long: may not be more than \(limit) \(unit)")
    }

    static func tooMany(_ field: String, _ count: Int, atMost limit: Int) -> FieldError {
        FieldError(kind: .tooMany, field: field, text: "Too many: \(count): must have at most \(limit) items")
    }

    static func notFound(_ field: String, _ value: JSONTree) -> FieldError {
        FieldError(kind: .notFound, field: field, text: "Not found: \(shown(value))")
    }

    static func typeInvalid(_ field: String, _ value: JSONTree, _ detail: String) -> FieldError {
        FieldError(kind: .typeInvalid, field: field, text: "Invalid value: \(shown(value)): \(detail)")
    }

    /// A value as the API server shows it in messages: objects and lists as JSON.
    private static func shown(_ value: JSONTree) -> String { value.description }
}
