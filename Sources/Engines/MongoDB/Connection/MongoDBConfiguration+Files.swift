extension MongoDBConfiguration {
    /// The configuration with the name and the password that their files have now.
    ///
    /// A file that can't be read, or is empty at this moment, changes nothing: what was known may still open the member,
    /// and a lock of ours must be released whatever became of a file.
    public func current() -> MongoDBConfiguration {
        var current = self
        if let name = CredentialFile.text(usernameFile) { current.username = name }
        if let password = CredentialFile.text(passwordFile) { current.password = Secret(password) }
        return current
    }
}
