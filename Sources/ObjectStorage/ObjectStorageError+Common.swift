/// The failures that every back end words alike.
extension ObjectStorageError {
    /// There is no object `key`.
    static func notFound(_ key: String, in location: String, cause: (any Error)? = nil) -> Self {
        Self(.notFound, "there is no object \(ObjectKey.printable(key)) in \(location)", cause: cause)
    }

    /// A conditional put of `key` found an object.
    static func alreadyExists(_ key: String, in location: String) -> Self {
        Self(
            .alreadyExists,
            "did not write object \(ObjectKey.printable(key)) in \(location): it is there already, and it was to be written only if absent"
        )
    }

    /// Bytes were asked for that the object doesn't have.
    static func outside(_ range: Range<Int>, of key: String, size: Int?, in location: String) -> Self {
        let has = size.map { "it has only \($0) bytes" } ?? "it has fewer bytes"
        return Self(
            .corrupt,
            "cannot read bytes \(range.lowerBound)..<\(range.upperBound) of object \(ObjectKey.printable(key)) in \(location): \(has); it is damaged or not the object that was meant"
        )
    }
}
