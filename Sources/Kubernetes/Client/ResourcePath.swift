/// The path of a resource, an object or a subresource in the API server's URL.
struct ResourcePath {
    let path: String
    /// `pod shop/mongo-0`, for messages.
    let summary: String

    /// Checks all parts and puts them together.
    ///
    /// - Throws: `.configuration` for a name that no object can have.
    init(
        _ resource: APIResource,
        namespace: String?,
        name: String? = nil,
        subresource: String? = nil
    ) throws(KubernetesError) {
        var parts = resource.group.isEmpty ? ["api"] : ["apis", resource.group]
        parts.append(resource.version)
        if resource.isNamespaced, let namespace, !namespace.isEmpty {
            guard Self.isLabel(namespace) else {
                throw KubernetesError(
                    .configuration,
                    "cannot use the namespace '\(Self.shown(namespace))': a namespace has at most 63 lower-case letters, digits and '-'"
                )
            }
            parts += ["namespaces", namespace]
        } else if resource.isNamespaced, name != nil {
            throw KubernetesError(
                .configuration,
                "cannot address the \(resource.kind) '\(Self.shown(name ?? ""))': say in which namespace it is"
            )
        }
        parts.append(resource.plural)
        if let name {
            guard Self.isName(name) else {
                throw KubernetesError(
                    .configuration,
                    "cannot use the name '\(Self.shown(name))' for a \(resource.kind): a name has 1 to 253 bytes, is not '.' or '..' and has no '/' and no '%'"
                )
            }
            parts.append(name)
        }
        if let subresource { parts.append(subresource) }
        path = parts.reduce(into: "") { $0 += "/" + Self.encoded($1) }
        let place = resource.isNamespaced ? namespace.map { $0.isEmpty ? "" : "\($0)/" } ?? "" : ""
        let subject = name.map { "\(resource.kind) \(place)\($0)" }
        summary =
            (subresource.map { "\($0) of " } ?? "")
            + (subject ?? (place.isEmpty ? resource.qualifiedName : "\(resource.qualifiedName) in \(place.dropLast())"))
    }

    /// A DNS label, as a namespace's name has to be.
    private static func isLabel(_ text: String) -> Bool {
        let units = Array(text.utf8)
        return (1...63).contains(units.count) && units.first != 0x2D && units.last != 0x2D
            && units.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    /// What the API server accepts as part of a path: some kinds' names hold colons and capitals.
    private static func isName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F && $0 != 0x25 }
    }

    private static func shown(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(80).filter { $0.value >= 0x20 && $0.value != 0x7F }))
    }

    /// Percent-encoded, all but letters, digits and `-._~`.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var units: [UInt8] = []
        for unit in text.utf8 {
            switch unit {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: units.append(unit)
            default: units += [0x25, digits[Int(unit >> 4)], digits[Int(unit & 15)]]
            }
        }
        return String(decoding: units, as: UTF8.self)
    }

    /// A query, with its question mark; empty for no fields.
    static func query(_ fields: [(String, String?)]) -> String {
        let given = fields.compactMap { name, value in value.map { "\(name)=\(encoded($0))" } }
        return given.isEmpty ? "" : "?" + given.joined(separator: "&")
    }
}
