extension MongoDBConfiguration {
    /// The configuration with the name and the password that their files have now.
    ///
    /// A file that can't be read, is empty at this moment, or holds no connection string changes nothing: what was known may still open the member,
    /// and a lock of ours must be released whatever became of a file.
    public func current() -> MongoDBConfiguration {
        var current = self
        if let name = CredentialFile.text(usernameFile) { current.username = name }
        if let password = CredentialFile.text(passwordFile) { current.password = Secret(password) }
        // At the start a text that is none is refused with the reason; later it counts as a file that is being written.
        if let text = CredentialFile.text(credentialsURIFile), let user = try? CredentialURI(text) {
            current.take(user)
        }
        return current
    }

    /// Logs in as the connection string says; what was said otherwise of database and mechanism counts for more.
    public mutating func take(_ user: CredentialURI) {
        username = user.username
        password = user.password
        authSource = authSource ?? user.authSource
        authMechanism = authMechanism ?? user.authMechanism
    }
}
