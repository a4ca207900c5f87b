import Kubernetes

/// What is read of a workload before its pod template is changed.
struct WorkloadFacts: Sendable, Hashable {
    let reference: WorkloadReference
    let object: JSONTree

    var namespace: String { object[path: "metadata", "namespace"]?.string ?? "" }

    /// Annotations of the pod template.
    var annotations: [String: String] {
        (object[path: "spec", "template", "metadata", "annotations"]?.object ?? [:]).compactMapValues(\.string)
    }

    /// Pods that there are or should be.
    var pods: Int64 {
        switch reference.kind {
        case .daemonSet: object[path: "status", "desiredNumberScheduled"]?.integer ?? 0
        case .statefulSet, .deployment: object[path: "spec", "replicas"]?.integer ?? 1
        }
    }

    // MARK: What a change of the template does

    /// What happens to running pods, in one sentence without an end.
    var consequence: String {
        guard pods > 0 else { return "this restarts nothing: \(reference) has no pods now" }
        let all = Format.count(pods, "pod")
        switch reference.kind {
        case .statefulSet: return statefulSetConsequence(all)
        case .deployment:
            if object[path: "spec", "strategy", "type"]?.string == "Recreate" {
                return
                    "this stops \(pods == 1 ? "its pod" : "all \(all) at once"), then starts \(pods == 1 ? "a new one" : "new ones")"
            }
            return "this replaces \(all), a new one starting before an old one ends as far as maxSurge allows"
        case .daemonSet:
            if object[path: "spec", "updateStrategy", "type"]?.string == "OnDelete" { return onDelete }
            return "this restarts \(all), one after the other"
        }
    }

    private func statefulSetConsequence(_ all: String) -> String {
        let strategy = object[path: "spec", "updateStrategy"]
        if strategy?["type"]?.string == "OnDelete" { return onDelete }
        let rolling = strategy?["rollingUpdate"]
        let partition = rolling?["partition"]?.integer ?? 0
        guard partition < pods else {
            return
                "this restarts nothing: its update strategy keeps pods below number \(partition) as they are (partition)"
        }
        let restarted = Format.count(pods - partition, "pod")
        let kept = partition > 0 ? "; those below number \(partition) stay without (partition)" : ""
        if let many = rolling?["maxUnavailable"], many.integer != 1 {
            return "this restarts \(restarted), several at once (maxUnavailable)\(kept)"
        }
        return pods - partition == 1
            ? "this restarts 1 pod\(kept)"
            : "this restarts \(restarted), one after the other, the highest number first\(kept)"
    }

    private var onDelete: String {
        "this restarts nothing by itself (update strategy OnDelete): pods get it when they are deleted one by one"
    }

    // MARK: Who may take it back

    /// Programs that write workloads from elsewhere, by the names under which they write.
    private static let keepers: [(managers: [String], name: String)] = [
        (["argocd"], "Argo CD"), (["kustomize-controller"], "Flux"), (["helm-controller"], "Flux"),
        (["fleet"], "Fleet"), (["kapp"], "kapp"), (["pulumi"], "Pulumi"), (["terraform", "hashicorp"], "Terraform"),
    ]
    /// Marks that they leave on objects.
    private static let marks: [(prefix: String, name: String)] = [
        ("argocd.argoproj.io/", "Argo CD"), ("kustomize.toolkit.fluxcd.io/", "Flux"),
        ("helm.toolkit.fluxcd.io/", "Flux"), ("objectset.rio.cattle.io/", "Fleet"), ("kapp.k14s.io/", "kapp"),
    ]

    /// What will probably take a change of the template back, one sentence each.
    var warnings: [String] {
        var result: [String] = []
        for owner in object[path: "metadata", "ownerReferences"]?.array ?? [] where owner["controller"]?.bool == true {
            let place = "\(owner["kind"]?.string ?? "?") '\(owner["name"]?.string ?? "?")'"
            result.append(
                "\(place) owns \(reference), and its operator will probably take the change back: say it there, if it has "
                    + "a place for pod annotations"
            )
        }
        let managers = (object[path: "metadata", "managedFields"]?.array ?? []).compactMap { $0["manager"]?.string }
        let metadata = object["metadata"]
        let names = ["labels", "annotations"].flatMap { (metadata?[$0]?.object ?? [:]).keys }
        var keepers = Set(
            Self.keepers.filter { keeper in
                managers.contains { manager in keeper.managers.contains { manager.lowercased().hasPrefix($0) } }
            }.map(\.name)
        )
        keepers.formUnion(Self.marks.filter { mark in names.contains { $0.hasPrefix(mark.prefix) } }.map(\.name))
        for keeper in keepers.sorted() {
            result.append(
                "\(keeper) manages \(reference) and will probably take the change back: make it where \(keeper) reads "
                    + "from (--print shows it)"
            )
        }
        return result
    }
}
