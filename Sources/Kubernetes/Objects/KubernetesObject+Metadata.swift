public import BackupModel

extension KubernetesObject {
    /// `apiVersion`; empty when missing.
    public var apiVersion: String { tree["apiVersion"]?.string ?? "" }
    /// `kind`; empty when missing.
    public var kind: String { tree["kind"]?.string ?? "" }

    /// Everything below `metadata`.
    public var metadata: JSONTree {
        get { tree["metadata"] ?? .object([:]) }
        set { tree["metadata"] = newValue }
    }

    /// The name; empty when missing.
    public var name: String {
        get { metadata["name"]?.string ?? "" }
        set { metadata["name"] = .string(newValue) }
    }

    /// The namespace; empty for what lives in none.
    public var namespace: String {
        get { metadata["namespace"]?.string ?? "" }
        set { metadata["namespace"] = newValue.isEmpty ? nil : .string(newValue) }
    }

    /// Namespace and name.
    public var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }

    /// The identity that a new object of the same name doesn't share; empty before it is created.
    public var uid: String { metadata["uid"]?.string ?? "" }

    /// What an update must carry so that it only succeeds when nobody else wrote in between.
    ///
    /// It means nothing else: only "the same" and "not the same" can be said of two.
    public var resourceVersion: String {
        get { metadata["resourceVersion"]?.string ?? "" }
        set { metadata["resourceVersion"] = newValue.isEmpty ? nil : .string(newValue) }
    }

    /// Counts the changes of `spec`; 0 when the kind doesn't count.
    public var generation: Int64 { metadata["generation"]?.integer ?? 0 }

    /// Labels.
    public var labels: [String: String] {
        get { texts("labels") }
        set { setTexts("labels", newValue) }
    }

    /// Annotations.
    public var annotations: [String: String] {
        get { texts("annotations") }
        set { setTexts("annotations", newValue) }
    }

    /// Names of those who must agree before the object goes away.
    public var finalizers: [String] {
        get { metadata["finalizers"]?.array?.compactMap(\.string) ?? [] }
        set { metadata["finalizers"] = newValue.isEmpty ? nil : .array(newValue.map { .string($0) }) }
    }

    /// The objects that it belongs to: when all are gone, it goes as well.
    public var ownerReferences: [OwnerReference] {
        get { metadata["ownerReferences"]?.array?.map(OwnerReference.init(tree:)) ?? [] }
        set { metadata["ownerReferences"] = newValue.isEmpty ? nil : .array(newValue.map(\.tree)) }
    }

    /// The owner that manages it, such as a pod's stateful set.
    public var controller: OwnerReference? { ownerReferences.first { $0.isController } }

    /// When it was created, to the second.
    public var creationTime: Timestamp? { metadata["creationTimestamp"]?.string.flatMap { Timestamp($0) } }

    /// When somebody asked to delete it; nil while nobody has.
    public var deletionTime: Timestamp? { metadata["deletionTimestamp"]?.string.flatMap { Timestamp($0) } }

    /// Whether somebody asked to delete it; then it only waits for its finalizers.
    public var isBeingDeleted: Bool { metadata["deletionTimestamp"].map { !$0.isNull } ?? false }

    private func texts(_ field: String) -> [String: String] {
        metadata[field]?.object?.compactMapValues(\.string) ?? [:]
    }

    private mutating func setTexts(_ field: String, _ texts: [String: String]) {
        metadata[field] = texts.isEmpty ? nil : .object(texts.mapValues { .string($0) })
    }
}

/// An object that another one belongs to.
public struct OwnerReference: Sendable, Hashable {
    /// All its fields.
    public private(set) var tree: JSONTree

    init(tree: JSONTree) { self.tree = tree }

    /// Makes a reference to an owner.
    ///
    /// - Parameters:
    ///   - owner: an object that the API server has given back, since its `uid` is needed.
    ///   - isController: whether the owner manages the object; an object has one such owner at most.
    ///   - blocksDeletion: whether a foreground deletion of the owner waits for the object.
    public init(_ owner: KubernetesObject, isController: Bool = true, blocksDeletion: Bool = false) {
        tree = [
            "apiVersion": .string(owner.apiVersion), "kind": .string(owner.kind), "name": .string(owner.name),
            "uid": .string(owner.uid),
        ]
        if isController { tree["controller"] = true }
        if blocksDeletion { tree["blockOwnerDeletion"] = true }
    }

    /// The owner's group and version.
    public var apiVersion: String { tree["apiVersion"]?.string ?? "" }
    /// The owner's kind.
    public var kind: String { tree["kind"]?.string ?? "" }
    /// The owner's name; it lives in the same namespace or in none.
    public var name: String { tree["name"]?.string ?? "" }
    /// The owner's identity.
    public var uid: String { tree["uid"]?.string ?? "" }
    /// Whether the owner manages the object.
    public var isController: Bool { tree["controller"]?.bool ?? false }
}
