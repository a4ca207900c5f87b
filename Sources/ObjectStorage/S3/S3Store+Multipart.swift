import HTTPClient

extension S3Store {
    /// A part that is in the store.
    private struct Part: Sendable {
        var number: Int
        var tag: String
        var checksum: String?
    }

    /// Stores an object in parts: create, parts side by side, complete.
    ///
    /// Until the last call there is no object.
    ///
    /// What a failure leaves is aborted, because stores charge for parts that nobody can see.
    func putInParts(_ key: String, _ bytes: [UInt8], ifAbsent: Bool, _ attempt: String) async throws {
        var call = S3Call(method: "POST", key: key, query: [("uploads", "")])
        call.checksumHeaders = [("x-amz-checksum-algorithm", "SHA256")]
        let created = try await perform(call, attempt)
        try check(created, key, attempt)
        guard let upload = try document(created.body, "InitiateMultipartUploadResult", attempt)["UploadId"],
            !upload.isEmpty
        else { throw ObjectStorageError(.unexpected, "\(attempt): the store didn't name the upload") }
        // Only a store that took part in the checksum feature may be sent checksums of parts.
        let hasChecksum = created.headers["x-amz-checksum-algorithm"]?.uppercased() == "SHA256"
        do {
            let parts = try await putParts(key, bytes, upload, hasChecksum: hasChecksum, attempt)
            try await complete(key, upload, parts, ifAbsent: ifAbsent, attempt)
        } catch {
            try await abort(key, upload, after: error)
        }
    }

    private func putParts(
        _ key: String,
        _ bytes: [UInt8],
        _ upload: String,
        hasChecksum: Bool,
        _ attempt: String
    ) async throws -> [Part] {
        // At most 10 000 parts are allowed.
        let size = max(configuration.partSize, (bytes.count + 9_999) / 10_000)
        let starts = Array(stride(from: 0, to: bytes.count, by: size))
        return try await withThrowingTaskGroup(of: Part.self) { group in
            var parts: [Part] = []
            for (index, start) in starts.enumerated() {
                if index >= configuration.partConcurrency, let part = try await group.next() { parts.append(part) }
                group.addTask {
                    let body = Array(bytes[start..<min(start + size, bytes.count)])
                    return try await self.putPart(key, body, upload, index + 1, hasChecksum: hasChecksum, attempt)
                }
            }
            for try await part in group { parts.append(part) }
            return parts.sorted { $0.number < $1.number }
        }
    }

    private func putPart(
        _ key: String,
        _ body: [UInt8],
        _ upload: String,
        _ number: Int,
        hasChecksum: Bool,
        _ attempt: String
    ) async throws -> Part {
        let hash = await Digest.sha256OffActor(body)
        var call = S3Call(
            method: "PUT",
            key: key,
            query: [("partNumber", "\(number)"), ("uploadId", upload)],
            body: body,
            bodyHash: hash
        )
        if hasChecksum { call.headers.append(("x-amz-checksum-sha256", Encoding.base64(hash))) }
        let response = try await perform(call, "\(attempt), part \(number)")
        try check(response, key, "\(attempt), part \(number)")
        try verify(response, hash, "\(attempt), part \(number)")
        guard let tag = response.headers["etag"], !tag.isEmpty else {
            throw ObjectStorageError(
                .unexpected,
                "\(attempt), part \(number): the store didn't confirm it with an ETag"
            )
        }
        return Part(number: number, tag: tag, checksum: hasChecksum ? Encoding.base64(hash) : nil)
    }

    private func complete(
        _ key: String,
        _ upload: String,
        _ parts: [Part],
        ifAbsent: Bool,
        _ attempt: String
    ) async throws {
        var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for part in parts {
            let checksum = part.checksum.map { "<ChecksumSHA256>\($0)</ChecksumSHA256>" } ?? ""
            text += "<Part><PartNumber>\(part.number)</PartNumber><ETag>\(escaped(part.tag))</ETag>\(checksum)</Part>"
        }
        let body = Array("\(text)</CompleteMultipartUpload>".utf8)
        var call = S3Call(
            method: "POST",
            key: key,
            query: [("uploadId", upload)],
            body: body,
            bodyHash: Digest.sha256(body)
        )
        call.headers.append(("content-type", "application/xml"))
        if ifAbsent { call.headers.append(("if-none-match", "*")) }
        let response = try await perform(call, attempt)
        try check(response, key, attempt)
        // Success is promised before the work is done: an error can come in the body of a 200, after white space.
        guard !response.body.isEmpty else { return }
        let failed = S3Failure(response)
        if !failed.code.isEmpty {
            var later = response
            later.status = failed.code == "PreconditionFailed" ? 412 : 500
            try check(later, key, attempt)
        }
        _ = try document(response.body, "CompleteMultipartUploadResult", attempt)
    }

    /// Aborts the upload, also in a cancelled task, and throws the error that led here.
    private func abort(_ key: String, _ upload: String, after error: any Error) async throws -> Never {
        let call = S3Call(method: "DELETE", key: key, query: [("uploadId", upload)])
        let attempt = "cannot abort the unfinished upload of \(ObjectKey.printable(key)) in \(location)"
        // A task of its own, so that cancelling ours doesn't leave parts behind.
        let result = await Task { () -> ObjectStorageError? in
            do {
                let response = try await self.perform(call, attempt)
                // Gone already is as good.
                if response.status != 404 { try self.check(response, key, attempt) }
                return nil
            } catch {
                return error as? ObjectStorageError ?? ObjectStorageError(.unexpected, attempt, cause: error)
            }
        }.value
        guard let result, var known = error as? ObjectStorageError else { throw error }
        known.message +=
            "; its parts stay until the bucket's lifecycle rule removes unfinished uploads (\(result.message))"
        throw known
    }

    private func document(_ body: [UInt8], _ name: String, _ attempt: String) throws(ObjectStorageError) -> XMLNode {
        do {
            let node = try XMLNode.parse(body)
            guard node.name == name else { throw XMLError(reason: "a <\(node.name)>", offset: 0) }
            return node
        } catch {
            throw ObjectStorageError(
                .unexpected,
                "\(attempt): the store's answer isn't a \(name): \(error); check that this endpoint is an S3 store"
            )
        }
    }

    private func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
