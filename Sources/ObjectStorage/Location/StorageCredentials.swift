import Glibc

/// What opens a store: the entries of a Stash storage secret, or the environment variables of the same names.
///
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; `AWS_REGION` or `AWS_DEFAULT_REGION`;
/// `CA_CERT_DATA` (PEM text: only this authority is trusted), `CA_CERT_FILE` (the same in a file), `AWS_CA_BUNDLE` (PEM
/// file: trusted as well as the system's). Other entries are kept and not used.
public struct StorageCredentials: Sendable {
    private let values: [String: String]

    /// Takes the entries of a secret; white space at their ends, which editors leave in secrets, is cut off.
    public init(_ values: [String: String]) {
        self.values = values.compactMapValues { value in
            var rest = value.utf8[...]
            func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
            while let byte = rest.first, isSpace(byte) { rest.removeFirst() }
            while let byte = rest.last, isSpace(byte) { rest.removeLast() }
            return rest.isEmpty ? nil : String(Substring(rest))
        }
    }

    /// The names that `fromEnvironment` reads.
    public static let names = [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
        "CA_CERT_DATA", "CA_CERT_FILE", "AWS_CA_BUNDLE",
    ]

    /// Takes the values from the environment of this process.
    public static func fromEnvironment() -> StorageCredentials {
        var values: [String: String] = [:]
        for name in names {
            if let value = getenv(name) { values[name] = String(cString: value) }
        }
        return StorageCredentials(values)
    }

    /// One value; nil when it is missing or empty.
    public subscript(name: String) -> String? { values[name] }

    /// Which certificate authorities to trust.
    ///
    /// An explicit one wins. `AWS_CA_BUNDLE` is often set for all programs of a machine, so it only adds to the system's.
    func trust(for location: String) throws(ObjectStorageError) -> StorageTrust {
        func refuse(_ reason: String) -> ObjectStorageError {
            ObjectStorageError(.invalidConfiguration, "cannot open \(location): \(reason)")
        }
        if let text = self["CA_CERT_DATA"] {
            guard text.utf8.contains(certificate: "-----BEGIN CERTIFICATE-----") else {
                throw refuse("CA_CERT_DATA holds no PEM certificate")
            }
            return .pem(Array(text.utf8))
        }
        if let path = self["CA_CERT_FILE"] {
            guard let text = SmallFile.read(path), text.contains(certificate: "-----BEGIN CERTIFICATE-----") else {
                throw refuse("CA_CERT_FILE names \(path), which can't be read or holds no PEM certificate")
            }
            return .pem(text)
        }
        // Unreadable or empty: it was meant for other programs, and the system's authorities may well do.
        guard let path = self["AWS_CA_BUNDLE"], !path.hasPrefix("/etc/ssl/certs/"), let text = SmallFile.read(path),
            text.contains(certificate: "-----BEGIN CERTIFICATE-----")
        else { return .system }
        return .systemAnd(pem: text)
    }
}

extension StorageCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The names only.
    public var description: String { "StorageCredentials(\(values.keys.sorted().joined(separator: ", ")))" }
    /// The names only.
    public var debugDescription: String { description }
    /// The names only: a dump must not show the secrets.
    public var customMirror: Mirror { Mirror(self, children: [("names", values.keys.sorted())]) }
}

extension Sequence<UInt8> {
    fileprivate func contains(certificate marker: StaticString) -> Bool {
        let bytes = Array(self)
        return marker.withUTF8Buffer { marker in
            bytes.indices.contains { bytes[$0...].starts(with: marker) }
        }
    }
}
