public import Foundation

/// How a fake API server is to be.
public struct FakeAPIServerOptions: Sendable {
    /// HTTPS with an authority of the server's own; otherwise plain HTTP.
    public var usesTLS = true
    /// With TLS, HTTP/2 is offered beside HTTP/1.1 and the client chooses by ALPN, as with a real one; else only HTTP/1.1.
    public var offersHTTP2 = true
    /// Streams at once on one connection of HTTP/2; a real one's default is the same.
    public var maxConcurrentStreams = 100
    /// Whether roles and bindings decide; otherwise everybody who is known may do everything.
    public var enforcesRBAC = true
    /// What `/version` says.
    public var version = "v1.36.0"
    /// How often a watch that asked for bookmarks gets one.
    public var bookmarkInterval: Duration = .seconds(60)
    /// How many changes are remembered at least; watches that are further behind get 410.
    public var historyWindow = 20_000
    /// The server's clock: for token lifetimes and timestamps.
    public var now: @Sendable () -> Date = { Date() }

    /// The options of a server as clusters have them.
    public init() {}
}
