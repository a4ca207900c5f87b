import Glibc
import Kubernetes

extension SmallFile {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// A kubeconfig, or a file that one names: with the inline certificates of many clusters it can be larger.
    static func kubeconfig(_ path: String) throws(KubernetesError) -> [UInt8] { try read(path, largest: 16 << 20) }
}
