/// One password's way to the master key: `keys/<id>`, plain JSON (restic design.rst, "Keys").
struct KeyFile: Sendable, Equatable {
    var created: Timestamp
    var username: String
    var hostname: String
    var parameters: KDFParameters
    var salt: [UInt8]
    /// The master key, sealed with the key that the password derives.
    var data: [UInt8]

    /// The length that readers demand.
    static let saltLength = 64

    /// Wraps a master key with a password.
    static func make(_ master: MasterKey, password: RepositoryPassword, parameters: KDFParameters) async throws
        -> KeyFile
    {
        let salt = try Random.bytes(saltLength)
        let user = try await parameters.derive(password.bytes, salt: salt)
        let context = try CryptoContext(user, level: 1)
        let data = try master.json.withUnsafeBytes { try context.seal($0) }
        return KeyFile(
            created: .now(),
            username: "remora",
            hostname: "remora",
            parameters: parameters,
            salt: salt,
            data: data
        )
    }

    /// The master key, or nil when the password is not the one of this file.
    func open(_ password: RepositoryPassword) async throws -> MasterKey? {
        let user = try await parameters.derive(password.bytes, salt: salt)
        let context = try CryptoContext(user, level: 1)
        guard let json = try data.withUnsafeBytes({ try context.open($0) }) else { return nil }
        return try MasterKey(json: json)
    }

    /// The file's bytes, in restic's field order.
    var json: [UInt8] {
        var object = JSONObjectWriter()
        object.member("created", created.description)
        object.member("username", username)
        object.member("hostname", hostname)
        object.member("kdf", "scrypt")
        object.member("N", parameters.n)
        object.member("r", parameters.r)
        object.member("p", parameters.p)
        object.member("salt", Base64.encode(salt))
        object.member("data", Base64.encode(data))
        return object.finish()
    }

    init(
        created: Timestamp,
        username: String,
        hostname: String,
        parameters: KDFParameters,
        salt: [UInt8],
        data: [UInt8]
    ) {
        self.created = created
        self.username = username
        self.hostname = hostname
        self.parameters = parameters
        self.salt = salt
        self.data = data
    }

    /// Reads a file's bytes.
    init(json: [UInt8]) throws {
        self.init(
            created: .epoch,
            username: "",
            hostname: "",
            parameters: KDFParameters(n: 0, r: 0, p: 0),
            salt: [],
            data: []
        )
        var function = ""
        try json.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.object { scanner, key in
                switch key {
                case "created": created = try scanner.timestamp()
                case "username": username = try scanner.string()
                case "hostname": hostname = try scanner.string()
                case "kdf": function = try scanner.string()
                case "N": parameters.n = Int(try scanner.uint32())
                case "r": parameters.r = Int(try scanner.uint32())
                case "p": parameters.p = Int(try scanner.uint32())
                case "salt": salt = try scanner.base64()
                case "data": data = try scanner.base64()
                default: try scanner.skip()
                }
            }
            try scanner.expectEnd()
        }
        guard function == "scrypt" else {
            throw RepositoryError(.damaged, "a key file uses \"\(function)\" and not scrypt to derive the key")
        }
        guard salt.count == Self.saltLength else {
            throw RepositoryError(.damaged, "a key file has a salt of \(salt.count) bytes, not \(Self.saltLength)")
        }
    }
}

extension JSONScanner {
    /// A string of base64.
    mutating func base64() throws -> [UInt8] {
        guard let bytes = Base64.decode(try stringBytes()) else { throw failure("expected base64") }
        return bytes
    }
}

extension MasterKey {
    /// As it is sealed into a key file.
    var json: [UInt8] {
        var mac = JSONObjectWriter()
        mac.member("k", Base64.encode(macK))
        mac.member("r", Base64.encode(macR))
        var object = JSONObjectWriter()
        object.member("mac", json: mac.finish())
        object.member("encrypt", Base64.encode(encrypt))
        return object.finish()
    }

    /// Reads what a key file sealed.
    init(json: [UInt8]) throws {
        self.init(encrypt: [], macK: [], macR: [])
        try json.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.object { scanner, key in
                switch key {
                case "mac":
                    try scanner.object { scanner, key in
                        switch key {
                        case "k": macK = try scanner.base64()
                        case "r": macR = try scanner.base64()
                        default: try scanner.skip()
                        }
                    }
                case "encrypt": encrypt = try scanner.base64()
                default: try scanner.skip()
                }
            }
        }
        guard encrypt.count == 32, macK.count == 16, macR.count == 16 else {
            throw RepositoryError(.damaged, "a key file holds a master key of the wrong length")
        }
    }
}
