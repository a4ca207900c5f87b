import Foundation
import Kubernetes
import TestSupport

/// What `podman play kube` (4.3) can't do of a pod, done beforehand; everything else stays as the webhook's patch made it.
///
/// - An init container with `restartPolicy: Always` becomes a container: podman knows init containers that end only.
/// - Volumes of every kind become folders of the host: podman knows no projected ones, and Secrets of its own only. The
///   test fills the folders, as the kubelet would.
/// - Variables that take their value from the pod get it: podman knows few of these fields.
/// - A mount with `subPath` goes: it keeps the API server from mounting a token there, and podman mounts none.
/// - Annotations of more than 63 bytes go: podman takes them for labels.
/// - A liveness probe goes, and the test runs its command: podman would want systemd for it.
struct PlayKube {
    /// The pod for podman.
    private(set) var pod: JSONTree
    /// The commands of the probes that went, by container.
    private(set) var probes: [String: [String]] = [:]
    /// The folders by volume.
    private(set) var folders: [String: String] = [:]

    /// Converts a pod and makes its volumes' folders.
    ///
    /// - Parameters:
    ///   - tree: the pod as the API server would store it.
    ///   - directory: gets the folders.
    /// - Throws: `TestSupportError` when a variable wants what the pod doesn't have.
    init(_ tree: JSONTree, in directory: TestDirectory) throws {
        pod = tree
        for volume in tree[path: "spec", "volumes"]?.array ?? [] {
            guard let name = volume["name"]?.string else { continue }
            folders[name] = try directory.makeDirectory("volumes/\(name)")
        }
        let sidecars = (tree[path: "spec", "initContainers"]?.array ?? []).filter { $0["restartPolicy"] == "Always" }
        let containers = try (sidecars + (tree[path: "spec", "containers"]?.array ?? [])).map { try convert($0) }
        var spec = tree["spec"] ?? [:]
        spec["initContainers"] = nil
        spec["containers"] = .array(containers)
        spec["volumes"] = .array(
            folders.sorted { $0.key < $1.key }.map { name, path in
                ["name": .string(name), "hostPath": ["path": .string(path), "type": "Directory"]]
            }
        )
        pod["spec"] = spec
        var metadata = tree["metadata"] ?? [:]
        metadata["annotations"] = .object(
            (metadata["annotations"]?.object ?? [:]).filter { ($0.value.string?.utf8.count ?? 0) <= 63 }
        )
        pod["metadata"] = metadata
    }

    private mutating func convert(_ container: JSONTree) throws -> JSONTree {
        var container = container
        let name = container["name"]?.string ?? ""
        container["restartPolicy"] = nil
        if let probe = container[path: "livenessProbe", "exec", "command"]?.array {
            probes[name] = probe.compactMap(\.string)
            container["livenessProbe"] = nil
        }
        let mounts = (container["volumeMounts"]?.array ?? []).filter { $0["subPath"] == nil }
        container["volumeMounts"] = .array(mounts)
        container["env"] = .array(
            try (container["env"]?.array ?? []).map { variable in
                guard let path = variable[path: "valueFrom", "fieldRef", "fieldPath"]?.string else { return variable }
                return ["name": variable["name"] ?? "", "value": .string(try value(path))]
            }
        )
        return container
    }

    private func value(_ path: String) throws -> String {
        var value: JSONTree? = pod
        for part in path.split(separator: ".") { value = value?[String(part)] }
        guard let text = value?.string else { throw TestSupportError("the pod of this test has no \(path)") }
        return text
    }

    /// Puts a file into a volume's folder, readable by all, as the kubelet would.
    func write(_ text: String, to name: String, of volume: String) throws {
        guard let folder = folders[volume] else { throw TestSupportError("the patch brought no volume \(volume)") }
        let path = "\(folder)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o444)
    }
}
