public import Kubernetes
import Synchronization

/// Another party's change to objects on their way in, played by a closure.
public struct Mutator: Sendable {
    /// When it comes, as seen from the webhooks that are registered.
    public enum Place: Sendable {
        /// In front of all webhooks.
        case before
        /// Behind the first round: webhooks with `reinvocationPolicy: IfNeeded` are asked once more.
        case between
        /// Behind all webhooks; nobody is asked again.
        case after
    }

    var resource: String
    var place: Place
    var change: @Sendable (JSONTree) -> JSONTree

    /// Makes one for a resource (like `pods`); it is asked when objects are created.
    public init(_ place: Place, resource: String = "pods", _ change: @escaping @Sendable (JSONTree) -> JSONTree) {
        self.place = place
        self.resource = resource
        self.change = change
    }

    /// Strips `restartPolicy` from init containers, as mutators with old types do.
    public static func stripsRestartPolicy(_ place: Place) -> Mutator {
        Mutator(place) { pod in
            var pod = pod
            pod.modify("spec") { spec in
                spec.modify("initContainers") { $0.modifyElements { $0["restartPolicy"] = nil } }
            }
            return pod
        }
    }

    /// Adds a container in front of the others.
    public static func addsContainer(
        _ place: Place,
        name: String = "mesh-proxy",
        image: String = "mesh.example/proxy:1"
    ) -> Mutator {
        Mutator(place) { pod in
            var pod = pod
            let containers = pod["spec"]?["containers"]?.array ?? []
            guard !containers.contains(where: { $0["name"]?.string == name }) else { return pod }
            pod.set("spec", "containers", to: .array([["name": .string(name), "image": .string(image)]] + containers))
            return pod
        }
    }

    /// Gives every volume another name, in the mounts too.
    public static func renamesVolumes(_ place: Place, prefix: String = "renamed-") -> Mutator {
        Mutator(place) { pod in
            var pod = pod
            let rename: (inout JSONTree) -> Void = { item in
                guard let name = item["name"]?.string, !name.hasPrefix(prefix) else { return }
                item["name"] = .string(prefix + name)
            }
            pod.modify("spec") { spec in
                spec.modify("volumes") { $0.modifyElements(rename) }
                for list in ["containers", "initContainers"] {
                    spec.modify(list) { $0.modifyElements { $0.modify("volumeMounts") { $0.modifyElements(rename) } } }
                }
            }
            return pod
        }
    }
}

/// The mutators that a test has arranged.
final class MutatorList: Sendable {
    private let list = Mutex<[Mutator]>([])

    func add(_ mutator: Mutator) { list.withLock { $0.append(mutator) } }
    func removeAll() { list.withLock { $0 = [] } }

    func apply(_ place: Mutator.Place, _ object: JSONTree, _ admission: Admission) throws -> JSONTree {
        guard admission.operation == .create else { return object }
        let chosen = list.withLock { $0.filter { $0.place == place && $0.resource == admission.type.resource } }
        return chosen.reduce(object) { object, mutator in
            Defaulting.apply(mutator.change(object), admission.type)
        }
    }
}

/// Where services are, since there is no network of a cluster here.
final class ServiceTable: Sendable {
    struct Place: Sendable {
        var address: String
        var port: Int
    }

    private let places = Mutex<[String: Place]>([:])

    func set(namespace: String, name: String, port: Int, _ place: Place?) {
        places.withLock { $0["\(namespace)/\(name):\(port)"] = place }
    }

    func place(namespace: String, name: String, port: Int) -> Place? {
        places.withLock { $0["\(namespace)/\(name):\(port)"] }
    }
}
