import CCurl
import Glibc

/// Sets libcurl's options for a transfer.
final class EasyOptions: Sendable {
    private let configuration: HTTPClientConfiguration
    /// Trusted authorities in memory, which libcurl reads at each new connection without copying them.
    private let authorities: PEMText?
    /// Our certificate and its key, when they are in memory; read in the same way.
    private let certificate: PEMText?
    private let key: PEMText?

    init(_ configuration: HTTPClientConfiguration) {
        self.configuration = configuration
        certificate = configuration.clientCertificatePEM.map { PEMText($0) }
        key = (configuration.clientKeyPEM ?? configuration.clientCertificatePEM).map { PEMText($0) }
        switch configuration.trust {
        case .system, .file: authorities = nil
        case .pem(let text): authorities = PEMText(text)
        case .systemAnd(let text): authorities = PEMText(Self.systemAuthorities() + [0x0A] + text)
        }
    }

    /// A handle that is ready to go; its callbacks use `transfer`, which must outlive it.
    ///
    /// - Throws: `HTTPClientError` for a request that HTTP can't carry.
    func makeEasy(for transfer: Transfer) throws -> UnsafeMutableRawPointer {
        let request = transfer.request
        try Self.validate(request)
        let target = Target(request.url, serverName: configuration.serverName)
        guard let easy = curl_easy_init() else {
            throw HTTPClientError(.unexpected, "cannot \(request.summary): libcurl has no memory", isTransient: true)
        }
        var setter = Setter(easy: easy)
        setConnection(&setter, host: Self.host(of: request.url))
        setTLS(&setter)
        setRequest(&setter, transfer, target)
        setCallbacks(&setter, transfer)
        guard setter.result == CURLE_OK else {
            curl_easy_cleanup(easy)
            throw HTTPClientError(setter.result, detail: "", request: request.summary)
        }
        return easy
    }

    private func setConnection(_ setter: inout Setter, host: Substring) {
        // Signals and threads don't go together; the resolver has a thread that must not be waited for.
        setter.set(CURLOPT_NOSIGNAL, 1)
        setter.set(CURLOPT_QUICK_EXIT, 1)
        setter.set(CURLOPT_PROTOCOLS_STR, "http,https")
        setter.set(CURLOPT_HTTP_VERSION, configuration.usesHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1)
        // Rather a stream on a connection that is being made than one more connection.
        if configuration.usesHTTP2 { setter.set(CURLOPT_PIPEWAIT, 1) }
        setter.set(CURLOPT_FOLLOWLOCATION, 0)
        // A key may hold what looks like a dotted path once it is percent-encoded.
        setter.set(CURLOPT_PATH_AS_IS, 1)
        setter.set(CURLOPT_TCP_KEEPALIVE, 1)
        setter.set(CURLOPT_TCP_KEEPIDLE, 30)
        setter.set(CURLOPT_TCP_KEEPINTVL, 30)
        setter.set(CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(configuration.connectTimeout / .milliseconds(1))))
        setter.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        setter.set(CURLOPT_USERAGENT, configuration.userAgent)
        if let proxy = configuration.proxy {
            setter.set(CURLOPT_PROXY, proxy)
            setter.set(CURLOPT_NOPROXY, "")
        } else if Self.isLoopback(host) {
            setter.set(CURLOPT_PROXY, "")
        }
    }

    private func setTLS(_ setter: inout Setter) {
        setter.set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        if configuration.insecureTLS {
            setter.set(CURLOPT_SSL_VERIFYPEER, 0)
            setter.set(CURLOPT_SSL_VERIFYHOST, 0)
        }
        if let authorities {
            // Without these two libcurl would go on trusting the system's authorities as well.
            setter.set(CURLOPT_CAINFO, nil)
            setter.set(CURLOPT_CAPATH, nil)
            setter.set(CURLOPT_CAINFO_BLOB, authorities)
        } else if case .file(let path) = configuration.trust {
            setter.set(CURLOPT_CAPATH, nil)
            setter.set(CURLOPT_CAINFO, path)
            // libcurl keeps what it has read for a day, by the file's name; the file is replaced before that.
            setter.set(CURLOPT_CA_CACHE_TIMEOUT, 0)
        }
        if let certificate, let key {
            setter.set(CURLOPT_SSLCERT_BLOB, certificate)
            setter.set(CURLOPT_SSLKEY_BLOB, key)
        } else if let certificate = configuration.clientCertificateFile {
            setter.set(CURLOPT_SSLCERT, certificate)
            setter.set(CURLOPT_SSLKEY, configuration.clientKeyFile ?? certificate)
        }
    }

    private func setRequest(_ setter: inout Setter, _ transfer: Transfer, _ target: Target) {
        let request = transfer.request
        setter.set(CURLOPT_URL, target.url)
        if let connection = target.connection {
            transfer.connections = curl_slist_append(nil, connection)
            setter.set(pointer: CURLOPT_CONNECT_TO, transfer.connections)
        }
        setter.set(CURLOPT_CUSTOMREQUEST, request.method)
        if request.usesFreshConnection { setter.set(CURLOPT_FRESH_CONNECT, 1) }
        if request.method == "HEAD" {
            setter.set(CURLOPT_NOBODY, 1)
        } else if !request.body.isEmpty || ["PUT", "POST", "PATCH"].contains(request.method) {
            // Upload and not "post fields": libcurl then asks for the bytes as it sends them, from where they lie.
            setter.set(CURLOPT_UPLOAD, 1)
            setter.set(size: CURLOPT_INFILESIZE_LARGE, curl_off_t(request.body.count))
        }
        // Few system calls for packs of many megabytes, little memory for small talk.
        if request.body.count > 1 << 20 { setter.set(CURLOPT_UPLOAD_BUFFERSIZE, 256 << 10) }
        if request.maxResponseBytes > 1 << 20 { setter.set(CURLOPT_BUFFERSIZE, 128 << 10) }
        // Without this line libcurl waits up to a second for a "100 Continue" that few servers send.
        var fields = curl_slist_append(nil, "Expect:")
        if let host = target.hostField { fields = curl_slist_append(fields, "Host: \(host)") }
        for (name, value) in request.headers {
            // The form with a semicolon is libcurl's way to send an empty value.
            fields = curl_slist_append(fields, value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        transfer.fields = fields
        setter.set(pointer: CURLOPT_HTTPHEADER, fields)
    }

    private static func validate(_ request: HTTPRequest) throws {
        func isToken(_ text: String) -> Bool {
            !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"()<>@,;:\\\"/[]?={}".utf8.contains($0) }
        }
        guard isToken(request.method) else {
            throw HTTPClientError(.invalidRequest, "cannot send a request: its method isn't one")
        }
        for (name, value) in request.headers {
            guard isToken(name), value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw HTTPClientError(
                    .invalidRequest,
                    "cannot \(request.summary): the header field '\(name.filter { $0 > " " })' holds what HTTP can't carry"
                )
            }
        }
        let url = request.url.lowercased()
        guard url.hasPrefix("http://") || url.hasPrefix("https://"),
            request.url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw HTTPClientError(
                .invalidURL,
                "cannot \(request.summary): give a URL such as https://host:port/path, without spaces and special characters"
            )
        }
    }

    /// The host of a URL, without port and brackets.
    static func host(of url: String) -> Substring {
        guard let slash = url.firstIndex(of: "/") else { return "" }
        var authority = url[slash...].drop { $0 == "/" }.prefix { !"/?#".contains($0) }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        if authority.first == "[" { return authority.dropFirst().prefix { $0 != "]" } }
        return authority.prefix { $0 != ":" }
    }

    /// Whether a proxy could never reach the host, because it is this machine.
    static func isLoopback(_ host: Substring) -> Bool {
        host == "::1" || host.lowercased() == "localhost" || host.lowercased().hasSuffix(".localhost")
            || (host.hasPrefix("127.")
                && host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) })
    }

    /// The system's bundle, from the places where distributions keep it.
    private static func systemAuthorities() -> [UInt8] {
        let places = [
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
            "/etc/ssl/cert.pem",
        ]
        for place in places {
            guard let file = fopen(place, "re") else { continue }
            defer { fclose(file) }
            var text: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { text += buffer[..<count] }
            return text
        }
        return []
    }
}

/// PEM text at an address that doesn't change, which is why `@unchecked Sendable` is true: nothing writes to it.
final class PEMText: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    init(_ text: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        copy.copyBytes(from: text)
        bytes = UnsafeRawBufferPointer(copy)
    }

    deinit {
        bytes.deallocate()
    }
}

/// Sets options one after the other and remembers the first failure.
struct Setter {
    let easy: UnsafeMutableRawPointer
    private(set) var result = CURLE_OK

    init(easy: UnsafeMutableRawPointer) { self.easy = easy }

    mutating func note(_ new: CURLcode) { if result == CURLE_OK { result = new } }
    mutating func set(_ option: CURLoption, _ value: Int) { note(remora_easy_set_long(easy, option, value)) }
    mutating func set(_ option: CURLoption, _ value: String?) { note(remora_easy_set_text(easy, option, value)) }
    mutating func set(_ option: CURLoption, _ text: PEMText) {
        note(remora_easy_set_blob(easy, option, text.bytes.baseAddress, text.bytes.count))
    }
    mutating func set(size option: CURLoption, _ value: curl_off_t) { note(remora_easy_set_size(easy, option, value)) }
    mutating func set(pointer option: CURLoption, _ value: UnsafeMutableRawPointer?) {
        note(remora_easy_set_pointer(easy, option, value))
    }
}
