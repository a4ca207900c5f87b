import Glibc
import Kubernetes

/// Reads the files that a kubeconfig names.
enum SmallFile {
    /// Nothing that belongs into such a file is larger.
    private static let largest = 16 << 20

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func read(_ path: String) throws(KubernetesError) -> [UInt8] {
        guard let file = fopen(path, "re") else {
            throw KubernetesError(.configuration, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
            bytes += buffer[..<count]
            if bytes.count > largest {
                throw KubernetesError(.configuration, "cannot read \(path): it has more than \(largest) bytes")
            }
        }
        if ferror(file) != 0 { throw KubernetesError(.configuration, "cannot read \(path): is it a directory?") }
        return bytes
    }
}
