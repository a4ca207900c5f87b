import CCurl

extension HTTPClientError {
    /// What libcurl's result means for a request.
    ///
    /// - Parameters:
    ///   - result: libcurl's result.
    ///   - detail: what libcurl wrote into its error buffer; it holds host names and system errors, never credentials.
    ///   - request: the request's method and URL.
    init(_ result: CURLcode, detail: String, request: String) {
        let reason = detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail
        func sentence(_ hint: String) -> String {
            "cannot \(request): \(reason)\(hint.isEmpty ? "" : "; \(hint)")"
        }
        switch result {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
            self.init(.cannotConnect, sentence("check the host name and the name service"), isTransient: true)
        case CURLE_COULDNT_CONNECT:
            self.init(
                .cannotConnect,
                sentence("check that the server runs there and that no firewall or network policy is in between"),
                isTransient: true
            )
        case CURLE_OPERATION_TIMEDOUT:
            self.init(.timedOut, sentence("the server or the network is too slow"), isTransient: true)
        case CURLE_PEER_FAILED_VERIFICATION:
            self.init(
                .tls,
                sentence(
                    "the server's certificate isn't trusted: check its names and dates and which authority is given"
                )
            )
        case CURLE_SSL_CACERT_BADFILE:
            self.init(.tls, sentence("the file or text with the trusted certificate authorities can't be used"))
        case CURLE_SSL_CERTPROBLEM:
            self.init(.tls, sentence("our own client certificate or its key can't be used"))
        case CURLE_SSL_CONNECT_ERROR:
            // A peer that goes away in the middle of the handshake looks like this too.
            let isBroken = detail.contains("SYSCALL") || detail.contains("reset")
            self.init(.tls, sentence("check that the server speaks TLS on that port"), isTransient: isBroken)
        case CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_CLIENTCERT:
            self.init(.tls, sentence(""))
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_SEND_FAIL_REWIND,
            CURLE_HTTP2, CURLE_HTTP2_STREAM:
            self.init(.brokenConnection, sentence("the connection broke"), isTransient: true)
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
            self.init(.invalidURL, sentence("give a URL such as https://host:port/path"))
        case CURLE_WEIRD_SERVER_REPLY:
            self.init(.malformedResponse, sentence("check that this is the right server and port"))
        default:
            self.init(.unexpected, sentence("libcurl's code is \(result.rawValue)"))
        }
    }
}
