/// Where requests go: the endpoint taken apart, and the URL of each key.
struct S3Address: Sendable {
    let scheme: String
    /// Host, and port unless it is the scheme's own, as `Host` is sent and signed.
    let host: String
    /// Percent-encoded path of the bucket, without a slash at its end; empty for virtual-host style.
    let basePath: String
    /// `prefix/`, or empty.
    let keyPrefix: String

    /// Takes a configuration's endpoint, bucket and prefix apart.
    ///
    /// - Throws: `ObjectStorageError` with code `.invalidConfiguration`.
    init(_ configuration: S3Configuration) throws(ObjectStorageError) {
        func refuse(_ reason: String) -> ObjectStorageError {
            ObjectStorageError(.invalidConfiguration, "cannot open an S3 store: \(reason)")
        }
        let endpoint = configuration.endpoint
        guard let parts = Self.parts(of: endpoint) else {
            throw refuse(
                "\(ObjectKey.printable(endpoint)) is no endpoint; give one such as https://s3.eu-west-1.amazonaws.com or http://host:9000"
            )
        }
        let bucket = configuration.bucket
        guard (3...63).contains(bucket.utf8.count), bucket.utf8.allSatisfy(Self.isBucketCharacter) else {
            throw refuse(
                "\(ObjectKey.printable(bucket)) is no bucket name; those have 3 to 63 letters, digits, dots, hyphens and underscores"
            )
        }
        var prefix = configuration.prefix[...]
        while prefix.first == "/" { prefix.removeFirst() }
        while prefix.last == "/" { prefix.removeLast() }
        if !prefix.isEmpty { try ObjectKey.validate(String(prefix)) }
        scheme = parts.scheme
        host = configuration.pathStyle ? parts.host : "\(bucket).\(parts.host)"
        basePath = configuration.pathStyle ? "\(parts.path)/\(bucket)" : parts.path
        keyPrefix = prefix.isEmpty ? "" : "\(prefix)/"
    }

    /// The encoded path of an object or, for an empty key, of the bucket.
    func path(of key: String) -> String {
        if key.isEmpty { return basePath.isEmpty ? "/" : basePath }
        return "\(basePath)/\(Encoding.percentEncode(keyPrefix + key, keepsSlash: true))"
    }

    func url(path: String, query: [(String, String)]) -> String {
        query.isEmpty ? "\(scheme)://\(host)\(path)" : "\(scheme)://\(host)\(path)?\(SignatureV4.canonicalQuery(query))"
    }

    /// Scheme, host with its port unless that is the scheme's own, and path without a slash at its end.
    private static func parts(of endpoint: String) -> (scheme: String, host: String, path: String)? {
        let text = endpoint.lowercased()
        let scheme = text.hasPrefix("https://") ? "https" : text.hasPrefix("http://") ? "http" : nil
        guard let scheme else { return nil }
        let rest = endpoint.dropFirst(scheme.count + 3)
        var host = rest.prefix { $0 != "/" }.lowercased()
        var path = rest.drop { $0 != "/" }
        while path.last == "/" { path.removeLast() }
        let ownPort = scheme == "https" ? ":443" : ":80"
        if host.hasSuffix(ownPort) { host.removeLast(ownPort.count) }
        guard isHost(host), path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"?#%".utf8.contains($0) }) else {
            return nil
        }
        return (scheme, host, String(path))
    }

    /// A name or address, in brackets if it has colons of its own, and a port behind it or none.
    private static func isHost(_ text: String) -> Bool {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"@?#\\\"'%".utf8.contains($0) }) else { return false }
        var name = text.utf8[...]
        if let colon = name.lastIndex(of: UInt8(ascii: ":")), name.last != UInt8(ascii: "]") {
            let digits = name[colon...].dropFirst()
            guard digits.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(Substring(digits)), port > 0
            else {
                return false
            }
            name = name[..<colon]
        }
        if name.first == UInt8(ascii: "["), name.last == UInt8(ascii: "]") { return name.count > 2 }
        return !name.isEmpty && !name.contains { ":[]".utf8.contains($0) }
    }

    private static func isBucketCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
