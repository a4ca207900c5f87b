/// The group and version of every object: `apiVersion: remora.dev/v1alpha1`.
public enum ResourceGroup {
    /// The value of `apiVersion`.
    public static let apiVersion = "remora.dev/v1alpha1"
    /// Namespace of objects that name none.
    public static let defaultNamespace = "default"
}

/// What a kind of object wants: its `spec`, and how to judge it.
public protocol ResourceSpec: Codable, Sendable, Hashable {
    /// What was observed of it.
    associatedtype Status: Codable, Sendable, Hashable
    /// The value of `kind`.
    static var kind: String { get }
    /// Whether its objects live in namespaces; those of the whole cluster don't.
    static var isNamespaced: Bool { get }
    /// The longest name that an object may have, in bytes.
    static var maximumNameBytes: Int { get }
    /// Everything that is wrong with the spec by itself, without looking at other objects; empty when it is good.
    func problems() -> [FieldProblem]
    /// Why it can't belong to an object of that name; nil when it can.
    func reasonAgainst(name: String) -> String?
}

extension ResourceSpec {
    /// Objects live in namespaces.
    public static var isNamespaced: Bool { true }
    /// Short enough for the names that are derived from it.
    public static var maximumNameBytes: Int { ResourceName.maximumBytes }
    /// Any name will do.
    public func reasonAgainst(name: String) -> String? { nil }
}

/// One object: Kubernetes' shape, from YAML files or from the Kubernetes API.
public struct Resource<Spec: ResourceSpec>: Codable, Sendable, Hashable {
    /// Always ``ResourceGroup/apiVersion``.
    public var apiVersion: String
    /// Always the spec's kind.
    public var kind: String
    /// Name and namespace.
    public var metadata: ResourceMetadata
    /// What is wanted.
    public var spec: Spec
    /// What was observed; written by the coordinator only.
    public var status: Spec.Status?

    /// Makes an object.
    public init(metadata: ResourceMetadata, spec: Spec, status: Spec.Status? = nil) {
        self.apiVersion = ResourceGroup.apiVersion
        self.kind = Spec.kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }

    /// Namespace and name; no namespace where objects live in none.
    public var key: ResourceKey {
        ResourceKey(namespace: Spec.isNamespaced ? metadata.effectiveNamespace : "", name: metadata.name)
    }

    /// Everything that is wrong with the object by itself: empty when it is good.
    public func problems() -> [FieldProblem] {
        var found = metadata.problems(maximumNameBytes: Spec.maximumNameBytes)
        if !Spec.isNamespaced, let namespace = metadata.namespace {
            found.append(
                FieldProblem(
                    "metadata.namespace",
                    "is '\(namespace)'; a \(Spec.kind) belongs to the whole cluster, so leave it out"
                )
            )
        }
        if let reason = spec.reasonAgainst(name: metadata.name) { found.append(FieldProblem("metadata.name", reason)) }
        if apiVersion != ResourceGroup.apiVersion {
            found.append(FieldProblem("apiVersion", "must be \(ResourceGroup.apiVersion), not '\(apiVersion)'"))
        }
        if kind != Spec.kind { found.append(FieldProblem("kind", "must be \(Spec.kind), not '\(kind)'")) }
        return found + spec.problems().map { FieldProblem("spec." + $0.path, $0.message) }
    }
}

/// Name, namespace and marks of an object.
public struct ResourceMetadata: Codable, Sendable, Hashable {
    /// Name: lower-case letters, digits, `-` and `.`; at most 52 bytes, because other names are derived from it (80 for
    /// a session's).
    public var name: String
    /// Namespace; `default` when absent.
    public var namespace: String?
    /// For people and selectors.
    public var labels: [String: String]?
    /// For people and programs.
    public var annotations: [String: String]?

    /// Makes one from its parts.
    public init(
        name: String,
        namespace: String? = nil,
        labels: [String: String]? = nil,
        annotations: [String: String]? = nil
    ) {
        self.name = name
        self.namespace = namespace
        self.labels = labels
        self.annotations = annotations
    }

    /// The namespace, `default` when none is named.
    public var effectiveNamespace: String { namespace ?? ResourceGroup.defaultNamespace }

    func problems(maximumNameBytes: Int) -> [FieldProblem] {
        var found: [FieldProblem] = []
        if let reason = ResourceName.reasonAgainst(name, maximumBytes: maximumNameBytes) {
            found.append(FieldProblem("metadata.name", reason))
        }
        if let namespace, let reason = ResourceName.reasonAgainst(namespace, maximumBytes: 63) {
            found.append(FieldProblem("metadata.namespace", reason))
        }
        return found
    }
}

/// What names look like (RFC 1123 subdomains, as in Kubernetes): safe in URLs and storage keys.
public enum ResourceName {
    /// The longest name of an object that other names are derived from (`<name>-<unix minute>`).
    public static let maximumBytes = 52
    /// The longest name of a session: one of 52 bytes, `-restore-`, the second since 1970, and a count.
    public static let maximumSessionBytes = 80

    /// Why a text can't be a name, or nil when it can.
    public static func reasonAgainst(_ name: String, maximumBytes: Int = 253) -> String? {
        if name.isEmpty { return "must not be empty" }
        if name.utf8.count > maximumBytes {
            return "has \(name.utf8.count) bytes, more than the \(maximumBytes) allowed"
        }
        let isGood = { (byte: UInt8) in
            (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")) || (byte >= 0x30 && byte <= 0x39)
        }
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for part in parts {
            guard let first = part.first, let last = part.last, isGood(first), isGood(last),
                part.allSatisfy({ isGood($0) || $0 == UInt8(ascii: "-") })
            else {
                return "'\(name)' is not a name: allowed are lower-case letters, digits, '-' and '.', beginning and "
                    + "ending with a letter or digit"
            }
        }
        return nil
    }
}

/// Namespace and name of an object.
public struct ResourceKey: Codable, Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Namespace.
    public var namespace: String
    /// Name.
    public var name: String

    /// Makes a key.
    public init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// `namespace/name`; only the name of an object that lives in no namespace.
    public var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }

    /// Parses `namespace/name`; nil when the text isn't that.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        self.init(namespace: String(parts[0]), name: String(parts[1]))
    }

    /// Order by namespace, then name.
    public static func < (left: ResourceKey, right: ResourceKey) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// A reference to another object, in the same namespace unless it says otherwise.
public struct ResourceReference: Codable, Sendable, Hashable {
    /// Name.
    public var name: String
    /// Namespace; absent: that of the object that refers.
    public var namespace: String?

    /// Makes a reference.
    public init(name: String, namespace: String? = nil) {
        self.name = name
        self.namespace = namespace
    }

    /// The key that it means when it stands in an object of `namespace`.
    public func key(in namespace: String) -> ResourceKey {
        ResourceKey(namespace: self.namespace ?? namespace, name: name)
    }
}

/// Something that is wrong with one field: where, and one sentence.
public struct FieldProblem: Sendable, Hashable, CustomStringConvertible {
    /// Path of the field, like `spec.target.ref.name` or `spec.task.params[2].value`.
    public var path: String
    /// What is wrong and what is allowed, without the path.
    public var message: String

    /// Makes a problem.
    public init(_ path: String, _ message: String) {
        self.path = path
        self.message = message
    }

    /// Path and sentence.
    public var description: String { "\(path) \(message)" }
}
