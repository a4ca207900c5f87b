import HTTPClient

extension S3Store {
    /// All objects whose key begins with `prefix`, page by page (ListObjectsV2).
    public func list(prefix: String) async throws -> [ObjectInfo] {
        try ObjectKey.validate(prefix: prefix)
        let attempt = "cannot list objects that begin with \(ObjectKey.printable(prefix)) in \(location)"
        var found: [ObjectInfo] = []
        var continuation: String?
        repeat {
            var call = S3Call(method: "GET", key: "")
            call.query = [
                ("list-type", "2"), ("prefix", address.keyPrefix + prefix), ("encoding-type", "url"),
                ("max-keys", "1000"),
            ]
            if let continuation { call.query.append(("continuation-token", continuation)) }
            let response = try await perform(call, attempt)
            guard response.status == 200 else { throw S3Failure(response).error(attempt) }
            let page = try S3Page(response.body, keyPrefix: address.keyPrefix, attempt)
            found += page.objects
            guard page.next != continuation || page.next == nil else {
                throw ObjectStorageError(.unexpected, "\(attempt): the store sends the same page again and again")
            }
            continuation = page.next
        } while continuation != nil
        return found
    }
}

/// One page of a listing.
struct S3Page {
    /// The page's objects, keys relative to the store's prefix.
    private(set) var objects: [ObjectInfo] = []
    /// What to ask the next page with; nil on the last one.
    private(set) var next: String?

    /// Reads a `ListBucketResult`.
    ///
    /// - Throws: `ObjectStorageError` with code `.unexpected`: better no listing than one that lacks objects.
    init(_ body: [UInt8], keyPrefix: String, _ attempt: String) throws(ObjectStorageError) {
        func refuse(_ reason: String) -> ObjectStorageError {
            ObjectStorageError(
                .unexpected,
                "\(attempt): the store's listing can't be read: \(reason); check that this endpoint is an S3 store"
            )
        }
        let root: XMLNode
        do { root = try XMLNode.parse(body) } catch { throw refuse("\(error)") }
        guard root.name == "ListBucketResult" else { throw refuse("it is a <\(root.name)>") }
        let isEncoded = root["EncodingType"] == "url"
        for entry in root.all("Contents") {
            guard let text = entry["Key"], let size = entry["Size"].flatMap({ Int($0) }), size >= 0 else {
                throw refuse("an entry without key or size")
            }
            guard let key = isEncoded ? Encoding.percentDecode(text, plusIsSpace: true) : text else {
                throw refuse("a key with wrong encoding")
            }
            guard key.utf8.starts(with: keyPrefix.utf8) else { throw refuse("a key outside the prefix") }
            let relative = String(Substring(key.utf8.dropFirst(keyPrefix.utf8.count)))
            // Consoles make empty objects that end with a slash, to show folders. They are no objects of ours.
            if relative.isEmpty || relative.utf8.last == UInt8(ascii: "/") { continue }
            objects.append(ObjectInfo(key: relative, size: size))
        }
        guard root["IsTruncated"] == "true" else { return }
        guard let token = root["NextContinuationToken"], !token.isEmpty else {
            throw refuse("there is more, and no way to ask for it")
        }
        next = token
    }
}
