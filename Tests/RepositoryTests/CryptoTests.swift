import Testing

@testable import Repository

private func hex(_ text: String) -> [UInt8] {
    let digits = text.utf8.filter { $0 != 0x20 }.map { hexValue($0) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

private func text(_ bytes: [UInt8]) -> String { bytes.map(hexText).joined() }

@Suite("Crypto")
struct CryptoTests {
    private let key = MasterKey(
        encrypt: Array(0..<32),
        macK: Array(32..<48),
        macR: Array(repeating: 0xFF, count: 16)
    )

    @Test(
        "SHA-256 of known texts",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ]
    )
    func sha256(input: String, expected: String) throws {
        let context = try CryptoContext(key, level: 1)
        for _ in 0..<2 {
            #expect(try Array(input.utf8).withUnsafeBytes { try context.sha256($0) }.hex == expected)
        }
    }

    @Test("scrypt derives what RFC 7914 says")
    func scrypt() async throws {
        let parameters = KDFParameters(n: 1024, r: 8, p: 16)
        let derived = try await parameters.derive(Array("password".utf8), salt: Array("NaCl".utf8))
        #expect(
            text(derived.encrypt + derived.macK + derived.macR)
                == "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        )
    }

    @Test("scrypt with restic's usual memory works, and with a forged key file's is refused")
    func scryptLimits() async throws {
        _ = try await KDFParameters(n: 32768, r: 8, p: 1).derive([1], salt: Array(repeating: 0, count: 64))
        for bad in [(3, 8, 1), (0, 8, 1), (1, 8, 1), (1 << 30, 8, 1), (2, 0, 1), (2, 8, 0), (1 << 24, 64, 1)] {
            await #expect(throws: RepositoryError.self) {
                try await KDFParameters(n: bad.0, r: bad.1, p: bad.2).derive([1], salt: [])
            }
        }
    }

    @Test("Poly1305-AES authenticates as its author's test vectors say")
    func poly1305AES() throws {
        // From the paper "The Poly1305-AES message-authentication code", appendix B. Sealed bytes are nonce, ciphertext,
        // MAC; opening checks the MAC before anything else.
        let vectors = [
            (
                "f3f6", "851fc40c3467ac0be05cc20404f3f700", "ec074c835580741701425b623235add6",
                "fb447350c4e868c52ac3275cf9d4327e", "f4c633c3044fc145f84f335cb81953de"
            ),
            (
                "663cea190ffb83d89593f3f476b6bc24d7e679107ea26adb8caf6652d0656136",
                "48443d0bb0d21109c89a100b5ce2c208", "6acb5f61a7176dd320c5c1eb2edcdc74",
                "ae212a55399729595dea458bc621ff0e", "0ee1c16bb73f0f4fd19881753c01cdbe"
            ),
        ]
        for (message, r, k, nonce, tag) in vectors {
            let context = try CryptoContext(MasterKey(encrypt: hex(r) + hex(r), macK: hex(k), macR: hex(r)), level: 1)
            let sealed = hex(nonce) + hex(message) + hex(tag)
            #expect(try sealed.withUnsafeBytes { try context.open($0) } != nil)
            for place in sealed.indices {
                var changed = sealed
                changed[place] ^= 1
                #expect(try changed.withUnsafeBytes { try context.open($0) } == nil)
            }
        }
    }

    @Test("AES-256-CTR is NIST's")
    func counterMode() throws {
        // NIST SP 800-38A, F.5.5, whose counter block is our nonce.
        let key = MasterKey(
            encrypt: hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
            macK: Array(repeating: 1, count: 16),
            macR: Array(repeating: 2, count: 16)
        )
        let nonce = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
        let plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
        let cipher = hex("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5")
        let context = try CryptoContext(key, level: 1)
        let tag = try context.tag(of: cipher, nonce: nonce)
        #expect(try (nonce + cipher + tag).withUnsafeBytes { try context.open($0) } == plain)
    }

    @Test(
        "what is sealed opens again, with any length, and never twice to the same bytes",
        arguments: [0, 1, 15, 16, 17, 100_000]
    )
    func roundTrip(count: Int) throws {
        var random = SplitMix(UInt64(count))
        let plain = random.bytes(count)
        let context = try CryptoContext(key, level: 1)
        let sealed = try plain.withUnsafeBytes { try context.seal($0) }
        #expect(sealed.count == count + 32)
        expectSame(try sealed.withUnsafeBytes { try context.open($0) }, plain)
        #expect(try plain.withUnsafeBytes { try context.seal($0) } != sealed)
        #expect(try Array(sealed.dropLast()).withUnsafeBytes { try context.open($0) } == nil)
        let other = try CryptoContext(MasterKey(encrypt: key.encrypt, macK: key.macK, macR: Array(0..<16)), level: 1)
        if count > 0 { #expect(try sealed.withUnsafeBytes { try other.open($0) } == nil) }
    }

    @Test("what is sealed where it lies opens to the same bytes", arguments: [1, 15, 16, 1000, 100_003])
    func sealingInPlace(count: Int) throws {
        let context = try CryptoContext(try MasterKey.random(), level: 1)
        var random = SplitMix(UInt64(count))
        let plain = random.bytes(count)
        let room = context.sealed.reserve(count + CryptoContext.overhead)
        let base = try #require(room.baseAddress)
        let place = UnsafeMutableRawBufferPointer(rebasing: room[CryptoContext.nonceLength...].prefix(count))
        place.copyBytes(from: plain)
        try context.seal(UnsafeRawBufferPointer(place), into: base)
        let sealed = UnsafeRawBufferPointer(rebasing: room[..<(count + CryptoContext.overhead)])
        expectSame(try context.open(sealed), plain)
    }

    @Test("a nonce of zeros is refused")
    func zeroNonce() throws {
        let context = try CryptoContext(key, level: 1)
        let nonce = [UInt8](repeating: 0, count: 16)
        let sealed = nonce + [1, 2, 3] + (try context.tag(of: [1, 2, 3], nonce: nonce))
        #expect(try sealed.withUnsafeBytes { try context.open($0) } == nil)
    }

    @Test("key files keep every byte of the master key, unmasked")
    func keyFile() async throws {
        let password = try RepositoryPassword(trimming: "p")
        let file = try await KeyFile.make(key, password: password, parameters: KDFParameters(n: 2, r: 8, p: 1))
        let again = try KeyFile(json: file.json)
        #expect(again == file)
        #expect(try await again.open(password) == key)
        #expect(try await again.open(RepositoryPassword(trimming: "q")) == nil)
    }

    @Test("derived keys differ by their label and say nothing about each other")
    func derivedKeys() throws {
        let document = try key.derive("remora-document-chunker-v1")
        #expect(document.count == 32)
        #expect(try key.derive("remora-document-chunker-v1") == document)
        #expect(try key.derive("remora-stream-chunker-v1") != document)
    }

    @Test("zstd frames hold their size, and damaged or lying ones give nothing")
    func compression() throws {
        let compressor = try Compressor(level: 1)
        var random = SplitMix(1)
        let plain = random.text(300_000)
        let frame = try compressor.compress(plain)
        #expect(frame.count < plain.count / 2)
        frame.withUnsafeBytes { frame in
            expectSame(compressor.decompress(frame, count: plain.count), plain)
            expectSame(compressor.decompress(frame, limit: plain.count), plain)
            #expect(compressor.decompress(frame, count: plain.count - 1) == nil)
            #expect(compressor.decompress(frame, count: plain.count + 1) == nil)
            #expect(compressor.decompress(frame, count: 3 << 30) == nil)
            #expect(compressor.decompress(frame, limit: plain.count - 1) == nil)
            let short = UnsafeRawBufferPointer(rebasing: frame.dropLast(10))
            #expect(compressor.decompress(short, count: plain.count) == nil)
            #expect(compressor.decompress(short, limit: 1 << 30) == nil)
        }
        let large = [UInt8](repeating: 7, count: 65 << 20)
        let small = try compressor.compress(large)
        expectSame(small.withUnsafeBytes { compressor.decompress($0, count: large.count) }, large)
    }

    @Test("compression levels that zstd doesn't have are refused")
    func badLevel() throws {
        #expect(throws: RepositoryError.self) { try Compressor(level: 1000) }
    }
}

extension CryptoContext {
    /// The MAC of a ciphertext, for vectors.
    fileprivate func tag(of ciphertext: [UInt8], nonce: [UInt8]) throws -> [UInt8] {
        var tag = [UInt8](repeating: 0, count: 16)
        try ciphertext.withUnsafeBytes { bytes in
            try nonce.withUnsafeBufferPointer { nonce in
                try tag.withUnsafeMutableBufferPointer { tag in
                    guard let nonce = nonce.baseAddress, let tag = tag.baseAddress else { return }
                    try authenticate(bytes, nonce: nonce, into: tag)
                }
            }
        }
        return tag
    }
}
