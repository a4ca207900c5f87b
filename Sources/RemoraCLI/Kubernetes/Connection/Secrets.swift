import Foundation
import Kubernetes

/// What is read of Secrets.
enum Secrets {
    /// Entries that hold something, decoded; bytes that are no text are read as well as it goes.
    static func entries(_ secret: JSONTree) -> [String: String] {
        (secret["data"]?.object ?? [:]).compactMapValues { value in
            guard let text = value.string, let data = Data(base64Encoded: text), !data.isEmpty else { return nil }
            return String(decoding: data, as: UTF8.self)
        }
    }
}
