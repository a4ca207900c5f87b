import BackupModel

/// What somebody wants to do, in the words of the Kubernetes API's access rules.
struct PeopleAccess: Sendable, Hashable {
    /// Verbs that are used.
    enum Verb: String, Sendable {
        case get, list, create, update, restore, use
    }

    var verb: Verb
    /// Plural of a kind, like `backupsessions`.
    var resource: String
    /// Like `log`.
    var subresource: String?
    /// Nil: all of them.
    var namespace: String?
    var name: String?
}

/// What a caller shows of itself.
struct PeopleCredentials: Sendable, Hashable {
    var token: String?
    /// A proxy or a web page speaks for somebody.
    var isProxied: Bool
}

/// Who calls.
struct Person: Sendable, Hashable {
    /// The name that an authority vouches for; nil: only the caller's own word is known.
    var name: String?
    var uid: String?
    var groups: [String] = []
    var extra: [String: [String]] = [:]
}

/// Says who people are and what they may do.
protocol PeopleAuthorizer: Sendable {
    /// Who calls.
    ///
    /// - Throws: 401 when nobody knows.
    func authenticate(_ credentials: PeopleCredentials, isWrite: Bool) async throws(RequestError) -> Person

    /// Lets somebody do something.
    ///
    /// - Throws: 403 when it may not.
    func authorize(_ person: Person, _ access: PeopleAccess) async throws(RequestError)
}

/// One token for everything, and reading without it from this machine: embedded mode.
struct AdminTokenAuthorizer: PeopleAuthorizer {
    /// Lets people change things.
    let adminToken: [UInt8]
    /// Whether reading needs no token, because the server listens on loopback only.
    let isReadableWithoutToken: Bool

    func authenticate(_ credentials: PeopleCredentials, isWrite: Bool) throws(RequestError) -> Person {
        if let token = credentials.token {
            guard Digest.equal(Array(token.utf8), adminToken) else {
                throw RequestError(status: 401, code: "unauthorized", message: "the admin token is wrong")
            }
            return Person()
        }
        // Proxies and web pages on this host are not the person who sits at it.
        if !isWrite, isReadableWithoutToken, !credentials.isProxied { return Person() }
        throw RequestError(
            status: 401,
            code: "unauthorized",
            message: "this needs the admin token: Authorization: Bearer with the content of STATE/admin.token"
        )
    }

    /// Who has the token may do everything; reading is for everybody who got this far.
    func authorize(_ person: Person, _ access: PeopleAccess) throws(RequestError) {}
}
