/// One request.
public struct HTTPRequest: Sendable {
    /// The method, in capitals.
    public var method: String
    /// `http://` or `https://`, percent-encoded as it is to be sent.
    public var url: String
    /// Header fields in the order they are sent; `Host`, `Content-Length` and `User-Agent` are added.
    public var headers: [(String, String)]
    /// The body.
    ///
    /// It is sent from this array: nothing holds a second copy.
    public var body: [UInt8]
    /// The longest the whole exchange may take, waiting for a free connection included; nil: no limit.
    public var timeout: Duration?
    /// The longest that nothing may move in either direction once connected; nil: no limit.
    ///
    /// For a long poll: longer than the server's keep-alives are apart.
    public var idleTimeout: Duration?
    /// Don't use a kept connection.
    ///
    /// When a kept connection breaks before any answer, libcurl sends the request again by itself, though the server may
    /// have carried it out. That is right for what may be repeated, and wrong for a condition such as `If-None-Match: *`,
    /// whose second sending would be refused because of the first one's success.
    public var usesFreshConnection: Bool
    /// A longer response body fails with `.tooLarge`.
    ///
    /// `HTTPClient.stream` doesn't heed it: its caller bounds what it keeps.
    public var maxResponseBytes: Int

    /// Makes a request.
    public init(
        method: String = "GET",
        url: String,
        headers: [(String, String)] = [],
        body: [UInt8] = [],
        timeout: Duration? = .seconds(300),
        idleTimeout: Duration? = .seconds(60),
        usesFreshConnection: Bool = false,
        maxResponseBytes: Int = 64 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.idleTimeout = idleTimeout
        self.usesFreshConnection = usesFreshConnection
        self.maxResponseBytes = maxResponseBytes
    }

    /// Method and URL as they may stand in a message: without user information and query, which can hold secrets.
    public var summary: String {
        var shown = url.prefix { $0 != "?" && $0 != "#" }
        if let slash = shown.firstIndex(of: "/") {
            let authority = shown[slash...].drop { $0 == "/" }.prefix { $0 != "/" }
            if let at = authority.lastIndex(of: "@") {
                shown = shown[..<authority.startIndex] + shown[shown.index(after: at)...]
            }
        }
        var printable = "\(method) "
        for scalar in shown.unicodeScalars.prefix(300) where scalar.value >= 0x20 && scalar.value != 0x7f {
            printable.unicodeScalars.append(scalar)
        }
        return printable
    }
}
