/// Reads the text forms of `StorageLocation`.
struct LocationParser {
    private let text: String

    init(_ text: String) {
        self.text = text
    }

    func kind() throws(ObjectStorageError) -> StorageLocation.Kind {
        guard !text.isEmpty else { throw refuse("it is empty") }
        try refuseControlCharacters(text)
        guard let scheme else { return .directory(path: text) }
        let rest = String(text.dropFirst(scheme.count + 1))
        switch scheme {
        case "s3": return .s3(try s3(rest))
        case "file": return try file(rest)
        case "local":
            guard !rest.isEmpty else { throw refuse("the path is missing") }
            return .directory(path: rest)
        case "gs", "azure", "b2", "swift", "rest", "sftp", "rclone":
            throw refuse("stores of the kind '\(scheme)' can't be opened by this version; use a directory or S3")
        case "http", "https":
            throw refuse("put s3: before the URL of an S3 store, as in s3:https://host/bucket/prefix")
        default:
            throw refuse("'\(scheme):' is no kind of store; for a directory of that name write ./\(scheme):…")
        }
    }

    /// What stands before the first colon, unless that comes after a slash: then it belongs to a path.
    var scheme: String? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let scheme = text[..<colon]
        guard let first = scheme.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first | 0x20),
            !scheme.contains("/")
        else { return nil }
        return scheme.lowercased()
    }

    /// Never shows what may hold a password.
    private func refuse(_ reason: String) -> ObjectStorageError {
        let shown = text.contains("@") ? "this repository location" : "repository location \(ObjectKey.printable(text))"
        return ObjectStorageError(
            .invalidConfiguration,
            "cannot use \(shown): \(reason); write /path, s3:https://host:port/bucket/prefix or s3://bucket/prefix"
        )
    }

    private func file(_ rest: String) throws(ObjectStorageError) -> StorageLocation.Kind {
        guard rest.hasPrefix("///") else { throw refuse("a file URL has three slashes and an absolute path") }
        guard let path = Encoding.percentDecode(String(rest.dropFirst(2)), plusIsSpace: false) else {
            throw refuse("its percent signs aren't followed by two hexadecimal digits")
        }
        try refuseControlCharacters(path)
        return .directory(path: path)
    }

    private func refuseControlCharacters(_ text: String) throws(ObjectStorageError) {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { throw refuse("it holds control characters") }
    }

    private func s3(_ rest: String) throws(ObjectStorageError) -> StorageLocation.S3Location {
        var options: Substring?
        var place = rest[...]
        if let mark = rest.firstIndex(of: "?") {
            options = rest[rest.index(after: mark)...]
            place = rest[..<mark]
        }
        var scheme = "https"
        var isHostSure = true
        let lowercased = place.lowercased()
        if lowercased.hasPrefix("https://") {
            place = place.dropFirst(8)
        } else if lowercased.hasPrefix("http://") {
            place = place.dropFirst(7)
            scheme = "http"
        } else if place.hasPrefix("//") {
            place = place.dropFirst(2)
            isHostSure = Self.isHost(place.prefix { $0 != "/" })
        }
        guard !place.contains("@") else {
            throw refuse("keys don't belong into the URL; give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        var location = StorageLocation.S3Location(bucket: "")
        if isHostSure {
            let host = place.prefix { $0 != "/" }
            guard !host.isEmpty else { throw refuse("the host is missing") }
            location.endpoint = "\(scheme)://\(host.lowercased())"
            place = place.dropFirst(host.count + 1)
        }
        location.bucket = String(place.prefix { $0 != "/" })
        guard !location.bucket.isEmpty else { throw refuse("the bucket is missing") }
        var prefix = place.dropFirst(location.bucket.count)
        while prefix.first == "/" { prefix.removeFirst() }
        while prefix.last == "/" { prefix.removeLast() }
        location.prefix = String(prefix)
        if let options { try apply(options, to: &location) }
        // The store checks the rest; asking it now tells the person who just typed it.
        let probe = S3Configuration(
            endpoint: location.endpoint ?? "https://s3.amazonaws.com",
            bucket: location.bucket,
            prefix: location.prefix,
            accessKeyID: "",
            secretAccessKey: ""
        )
        _ = try S3Address(probe)
        return location
    }

    private func apply(_ options: Substring, to location: inout StorageLocation.S3Location) throws(ObjectStorageError) {
        for option in options.split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
            switch (parts.first, parts.dropFirst().first) {
            case ("region", let region?): location.region = region
            case ("endpoint", let endpoint?) where location.endpoint == nil: location.endpoint = endpoint
            case ("addressing", "path"): location.pathStyle = true
            case ("addressing", "virtual-host"): location.pathStyle = false
            case ("insecure-tls", "true"): location.insecureTLS = true
            case ("insecure-tls", "false"): location.insecureTLS = false
            case ("retry-seconds", let text?):
                guard let seconds = Int(text), (1...86_400).contains(seconds) else {
                    throw refuse("retry-seconds is '\(text)'; allowed: 1 to 86400")
                }
                location.retrySeconds = seconds
            default:
                throw refuse(
                    "the option '\(parts.first ?? "")' isn't one or its value isn't; there are region=, addressing=path|virtual-host, insecure-tls=true|false, retry-seconds= and, for s3://bucket, endpoint="
                )
            }
        }
    }

    private static func isHost(_ name: Substring) -> Bool {
        let lowercased = name.lowercased()
        return name.contains(":") || lowercased == "localhost" || lowercased.hasSuffix(".amazonaws.com")
    }
}
