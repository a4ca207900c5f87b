/// What libcurl is told so that a certificate is compared with another name than the host's.
///
/// libcurl compares it with the URL's host; so that becomes the name, and the connection is led to where the URL really
/// points. The server still reads in `Host` what the URL said.
struct Target {
    let url: String
    /// For `CURLOPT_CONNECT_TO`; nil to connect to where the URL says.
    let connection: String?
    /// The value of `Host`; nil for the URL's own.
    let hostField: String?

    init(_ url: String, serverName: String?) {
        guard let serverName, url.lowercased().hasPrefix("https://") else {
            self.url = url
            connection = nil
            hostField = nil
            return
        }
        let rest = url.dropFirst("https://".count)
        let whole = rest.prefix { !"/?#".contains($0) }
        let start = whole.lastIndex(of: "@").map { whole.index(after: $0) } ?? whole.startIndex
        let user = whole[..<start]
        let authority = whole[start...]
        let path = rest[whole.endIndex...]
        // The colon behind brackets or behind a name; those within brackets belong to the address.
        let colon = authority.lastIndex(of: ":").flatMap { authority[$0...].contains("]") ? nil : $0 }
        let host = colon.map { authority[..<$0] } ?? authority
        let port = colon.map { authority[authority.index(after: $0)...] } ?? "443"
        let name = serverName.contains(":") ? "[\(serverName)]" : serverName
        self.url = "https://\(user)\(name):\(port)\(path)"
        connection = "::\(host):\(port)"
        hostField = String(authority)
    }
}
