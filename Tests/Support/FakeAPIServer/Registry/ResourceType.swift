import Kubernetes

/// One resource of one version of a group, as discovery lists it.
struct ResourceType: Sendable {
    var group: String
    var version: String
    var resource: String
    var kind: String
    var singular: String
    var shortNames: [String] = []
    var categories: [String] = []
    var isNamespaced = true
    var nameRule = NameRule.subdomain
    /// Like `status` and `token`.
    var subresources: Set<String> = []
    var schema: Schema
    /// What a CRD adds; nil for what is built in.
    var custom: CustomDetails?
    /// Created and answered, never stored: reviews.
    var isVirtual = false
    /// Members besides `metadata` and `status` whose change doesn't count as a new generation.
    var hasGeneration = false
    /// Fields that a field selector may name, besides name and namespace.
    var selectableFields: [String] = []
    /// Updates without a resourceVersion are taken.
    var allowsUnconditionalUpdate = true
    var columns: [PrinterColumn] = []

    struct CustomDetails: Sendable {
        /// Name of the CRD.
        var definition: String
        /// Whether every version is to be answered from the same objects.
        var isStorage: Bool
    }

    /// A column of `kubectl get`.
    struct PrinterColumn: Sendable {
        var name: String
        var type: String
        var format = ""
        var description = ""
        var priority = 0
        var path: String
    }

    var groupResource: GroupResource { GroupResource(group: group, resource: resource) }
    var groupKind: GroupKind { GroupKind(group: group, kind: kind) }
    var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
    var isCustom: Bool { custom != nil }
    var hasStatus: Bool { subresources.contains("status") }

    var verbs: [String] {
        isVirtual ? ["create"] : ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    }
}
