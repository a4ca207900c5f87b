import BackupModel

extension InjectionRequest {
    /// Reads the annotations of a pod.
    ///
    /// - Parameters:
    ///   - annotations: all annotations of the pod.
    ///   - allowsRoot: whether `run-as: "0"` is allowed.
    /// - Throws: `InjectionError` that names everything that is wrong.
    init(_ annotations: [String: String], allowsRoot: Bool) throws(InjectionError) {
        var reader = AnnotationReader(annotations: annotations)
        engine = reader.checked(.engine) { AppBindingSpec.reasonAgainst(engine: $0) }
        cluster = reader.checked(.cluster, Self.reasonAgainstCluster)
        container = reader.checked(.container) { ResourceName.reasonAgainst($0, maximumBytes: 63) }
        endpoint = reader.checked(.endpoint, Self.reasonAgainstEndpoint)
        dataMount = reader.choice(.dataMount) ?? .none
        dataVolume = reader.checked(.dataVolume) { ResourceName.reasonAgainst($0, maximumBytes: 63) }
        credentials = reader.credentials()
        tlsSecret = reader.checked(.tlsSecret) { ResourceName.reasonAgainst($0) }
        tlsMode = reader.choice(.tlsMode) ?? (tlsSecret == nil ? .disable : .verifyFull)
        tlsCertificateKey = reader.checked(.tlsCertificateKey, Self.reasonAgainstEntry)
        runAs = reader.runAs(allowsRoot: allowsRoot)
        resources = reader.resources()
        sidecar = reader.choice(.sidecar) ?? .auto
        logLevel = reader.choice(.logLevel) ?? .info
        if tlsMode == .verifyCA || tlsMode == .verifyFull, tlsSecret == nil {
            reader.refuse(.tlsMode, "is '\(tlsMode.rawValue)', which needs \(Annotation.tlsSecret.name) with a ca.crt")
        }
        if tlsCertificateKey != nil, tlsSecret == nil {
            reader.refuse(
                .tlsCertificateKey,
                "names an entry of a Secret, which \(Annotation.tlsSecret.name) must name"
            )
        }
        if dataVolume != nil, dataMount == .none {
            warnings.append("\(Annotation.dataVolume.name) has no effect without \(Annotation.dataMount.name)")
        }
        warnings += Self.unknown(annotations)
        guard reader.problems.isEmpty else {
            throw InjectionError(.annotation, reader.problems.joined(separator: "; "))
        }
    }

    /// Annotations that look like ours and are none: most likely misspelt.
    private static func unknown(_ annotations: [String: String]) -> [String] {
        let written = [AgentMark.status, AgentMark.injectError]
        return annotations.keys.sorted().filter { name in
            name.hasPrefix(Annotation.prefix) && !written.contains(name)
                && Annotation(rawValue: String(name.dropFirst(Annotation.prefix.count))) == nil
        }.map { "\($0) is no annotation that the injector knows" }
    }

    static func reasonAgainstCluster(_ text: String) -> String? {
        if text.contains(".") { return "is '\(text)'; a cluster's name has no dots" }
        return ResourceName.reasonAgainst(text, maximumBytes: ResourceName.maximumBytes)
    }

    static func reasonAgainstEntry(_ text: String) -> String? {
        let isGood = text.utf8.allSatisfy { byte in
            (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A && byte < 0x80)
                || byte == 0x2D || byte == 0x2E || byte == 0x5F
        }
        guard isGood, !text.isEmpty, text.utf8.count <= 253, text != ".", !text.hasPrefix("..") else {
            return "is '\(text)', which is no entry of a Secret: letters, digits, '-', '_' and '.'"
        }
        return nil
    }

    private static func reasonAgainstEndpoint(_ text: String) -> String? {
        let shape = "write localhost:PORT, 127.0.0.1:PORT or [::1]:PORT"
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65535).contains(port), "\(port)" == text[text.index(after: colon)...]
        else { return "is '\(text)', which is no host and port: \(shape)" }
        let host = text[..<colon]
        guard host == "localhost" || host == "[::1]" || isLoopback(host) else {
            return "is '\(text)'; an agent talks to its own pod only: \(shape)"
        }
        return nil
    }

    /// Whether a text is an address in 127.0.0.0/8.
    private static func isLoopback(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in UInt8(part).map { "\($0)" == part } ?? false }
    }
}

/// Reads annotations one by one and collects what is wrong.
private struct AnnotationReader {
    let annotations: [String: String]
    var problems: [String] = []

    subscript(_ annotation: Annotation) -> String? { annotations[annotation.name] }

    mutating func refuse(_ annotation: Annotation, _ reason: String) { problems.append("\(annotation.name) \(reason)") }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ annotation: Annotation) -> Choice?
    where Choice.RawValue == String {
        guard let text = self[annotation] else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        refuse(annotation, "is '\(text)'; allowed: \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        return nil
    }

    mutating func checked(_ annotation: Annotation, _ reasonAgainst: (String) -> String?) -> String? {
        guard let text = self[annotation] else { return nil }
        guard let reason = reasonAgainst(text) else { return text }
        refuse(annotation, reason)
        return nil
    }

    mutating func credentials() -> InjectionRequest.Credentials? {
        let secret = checked(.credentialsSecret) { ResourceName.reasonAgainst($0) }
        var result = InjectionRequest.Credentials(secret: secret ?? "")
        if let text = self[.credentialsKeys] {
            if self[.credentialsSecret] == nil {
                refuse(
                    .credentialsKeys,
                    "names entries of a Secret, which \(Annotation.credentialsSecret.name) must name"
                )
            }
            var entries: [String: String] = [:]
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard sides.count == 2, ["username", "password", "uri"].contains(sides[0]), entries[sides[0]] == nil,
                    InjectionRequest.reasonAgainstEntry(sides[1]) == nil
                else {
                    refuse(.credentialsKeys, "is '\(text)'; it looks like username=ENTRY,password=ENTRY or uri=ENTRY")
                    return nil
                }
                entries[sides[0]] = sides[1]
            }
            if entries["uri"] != nil, entries.count > 1 {
                refuse(.credentialsKeys, "is '\(text)'; uri=ENTRY stands alone, since it holds name and password")
            }
            result.uriKey = entries["uri"]
            result.usernameKey = entries["username"] ?? result.usernameKey
            result.passwordKey = entries["password"] ?? result.passwordKey
        }
        return secret == nil ? nil : result
    }

    mutating func runAs(allowsRoot: Bool) -> InjectionRequest.RunAs? {
        guard let text = self[.runAs] else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in Int32(part).flatMap { "\($0)" == part && $0 >= 0 ? Int64($0) : nil } }
        guard numbers.count == parts.count, (1...2).contains(numbers.count) else {
            refuse(.runAs, "is '\(text)'; it looks like 999 or 999:999, numbers up to 2147483647")
            return nil
        }
        if numbers[0] == 0, !allowsRoot {
            refuse(.runAs, "is '\(text)', and this installation doesn't allow agents to run as root")
            return nil
        }
        return InjectionRequest.RunAs(user: numbers[0], group: numbers.dropFirst().first)
    }

    mutating func resources() -> InjectionRequest.Resources {
        let resources = InjectionRequest.Resources(
            cpuRequest: quantity(.cpuRequest),
            cpuLimit: quantity(.cpuLimit),
            memoryRequest: quantity(.memoryRequest),
            memoryLimit: quantity(.memoryLimit)
        )
        if let limit = resources.cpuLimit, limit < Quantity.milli(10) {
            refuse(.cpuLimit, "is '\(limit.text)', with which nothing would get done: at least 10m")
        }
        if let limit = resources.memoryLimit, limit < Quantity.mebi(64) {
            refuse(.memoryLimit, "is '\(limit.text)', with which the agent can't start: at least 64Mi")
        }
        let pairs = [
            (Annotation.cpuRequest, resources.cpuRequest, Annotation.cpuLimit, resources.cpuLimit),
            (.memoryRequest, resources.memoryRequest, .memoryLimit, resources.memoryLimit),
        ]
        for (first, request, second, limit) in pairs {
            if let request, let limit, request > limit {
                refuse(first, "is '\(request.text)', more than \(second.name), which is '\(limit.text)'")
            }
        }
        return resources
    }

    private mutating func quantity(_ annotation: Annotation) -> Quantity? {
        guard let text = self[annotation] else { return nil }
        if let quantity = Quantity(text), quantity >= Quantity.zero { return quantity }
        refuse(annotation, "is '\(text)', which is no quantity; it looks like 250m, 1, 96Mi or 1Gi")
        return nil
    }
}
