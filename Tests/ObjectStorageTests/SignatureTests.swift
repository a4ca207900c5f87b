import Testing

@testable import ObjectStorage

/// The examples of Amazon S3's API reference, "Signature Calculations for the Authorization Header".
@Suite("AWS signature version 4")
struct SignatureTests {
    private static let signer = SignatureV4(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE",
        secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region: "us-east-1"
    )
    private static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    private static let host = ("Host", "examplebucket.s3.amazonaws.com")
    private static let date = "20130524T000000Z"

    struct Example: Sendable, CustomTestStringConvertible {
        var name: String
        var method = "GET"
        var path = "/"
        var query: [(String, String)] = []
        var headers: [(String, String)] = []
        var payloadHash = SignatureTests.empty
        var signedHeaders: String
        var signature: String
        var testDescription: String { name }
    }

    static let examples = [
        Example(
            name: "get an object's first bytes",
            path: "/test.txt",
            headers: [("Range", "bytes=0-9")],
            signedHeaders: "host;range;x-amz-content-sha256;x-amz-date",
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        ),
        Example(
            name: "put an object",
            method: "PUT",
            path: "/test%24file.text",
            headers: [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            payloadHash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            signedHeaders: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        ),
        Example(
            name: "get a bucket's lifecycle",
            query: [("lifecycle", "")],
            signedHeaders: "host;x-amz-content-sha256;x-amz-date",
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        ),
        Example(
            name: "list objects",
            query: [("prefix", "J"), ("max-keys", "2")],
            signedHeaders: "host;x-amz-content-sha256;x-amz-date",
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        ),
    ]

    @Test("signs what Amazon's examples sign, as they do", arguments: examples)
    func example(_ example: Example) {
        let request = SignatureV4.Request(
            method: example.method,
            path: example.path,
            query: example.query,
            headers: example.headers + [
                Self.host, ("x-amz-date", Self.date), ("x-amz-content-sha256", example.payloadHash),
            ],
            payloadHash: example.payloadHash
        )
        #expect(
            Self.signer.authorization(for: request, date: Self.date)
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=\(example.signedHeaders),Signature=\(example.signature)"
        )
    }

    @Test("writes the canonical request and the string to sign as in the example")
    func intermediate() {
        let canonical = SignatureV4.canonicalRequest(
            SignatureV4.Request(
                method: "GET",
                path: "/test.txt",
                headers: [
                    Self.host, ("Range", " bytes=0-9 "), ("x-amz-content-sha256", Self.empty),
                    ("x-amz-date", Self.date),
                ],
                payloadHash: Self.empty
            )
        )
        #expect(
            canonical.text == """
                GET
                /test.txt

                host:examplebucket.s3.amazonaws.com
                range:bytes=0-9
                x-amz-content-sha256:\(Self.empty)
                x-amz-date:20130524T000000Z

                host;range;x-amz-content-sha256;x-amz-date
                \(Self.empty)
                """
        )
        #expect(
            SignatureV4.stringToSign(canonical.text, date: Self.date, scope: "20130524/us-east-1/s3/aws4_request")
                == """
                AWS4-HMAC-SHA256
                20130524T000000Z
                20130524/us-east-1/s3/aws4_request
                7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972
                """
        )
    }

    @Test("sorts and encodes queries by bytes")
    func query() {
        #expect(
            SignatureV4.canonicalQuery([("b", "2"), ("a b", "x/y+z"), ("a", ""), ("B", "é"), ("b", "1")])
                == "B=%C3%A9&a=&a%20b=x%2Fy%2Bz&b=1&b=2"
        )
    }

    @Test(
        "writes dates",
        arguments: [(0, "19700101T000000Z"), (1_369_353_600, "20130524T000000Z"), (1_709_210_096, "20240229T123456Z")]
    )
    func date(_ seconds: Int, _ text: String) {
        #expect(SignatureV4.date(seconds) == text)
    }

    @Test("hashes and encodes")
    func digests() {
        #expect(Encoding.hex(Digest.sha256([])) == Self.empty)
        #expect(
            Encoding.hex(Digest.sha256(Array("Welcome to Amazon S3.".utf8)))
                == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
        )
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            #expect(Encoding.base64(Array(text.utf8)) == encoded)
        }
        #expect(Encoding.percentDecode("a%20b+c%2B%c3%A9", plusIsSpace: true) == "a b c+é")
        #expect(Encoding.percentDecode("a+b", plusIsSpace: false) == "a+b")
        for bad in ["%", "%2", "%zz", "%ff"] { #expect(Encoding.percentDecode(bad, plusIsSpace: true) == nil) }
    }
}
