import Testing

@testable import ObjectStorage

@Suite("S3's XML")
struct XMLTests {
    @Test("reads elements, text, entities, attributes and what surrounds them")
    func parse() throws {
        let text = """
            \u{FEFF}<?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment with <tags> -->
            <s3:Error xmlns:s3='x' a="1>2"><Code>A&amp;B&lt;&#233;&#x1F41F;&quot;&apos;&gt;</Code><Empty/><Empty a='b' />
            <Raw><![CDATA[<not & parsed>]]> tail</Raw></s3:Error >
            """
        let node = try XMLNode.parse(Array(text.utf8))
        #expect(node.name == "Error")
        #expect(node["Code"] == "A&B<é🐟\"'>")
        #expect(node.all("Empty").count == 2)
        #expect(node["Raw"] == "<not & parsed> tail")
        #expect(node["Absent"] == nil)
    }

    @Test(
        "refuses what isn't well formed",
        arguments: [
            "", "   ", "text", "<a>", "<a></b>", "</a>", "<a/><b/>", "<a/>text", "<a b></a>", "<a b=c></a>",
            "<a b='c></a>",
            "<a>&nope;</a>", "<a>&amp</a>", "<a>&#xD800;</a>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            "<a><!-- </a>", "<",
            "<a", "<a><![CDATA[x</a>", "<a>\u{0}", "{\"json\": true}",
        ]
    )
    func refuse(_ text: String) {
        #expect(throws: XMLError.self) { try XMLNode.parse(Array(text.utf8)) }
    }

    @Test("refuses bytes that aren't UTF-8 and elements within elements without end")
    func limits() {
        #expect(throws: XMLError.self) { try XMLNode.parse(Array("<a>".utf8) + [0xFF] + Array("</a>".utf8)) }
        #expect(throws: XMLError.self) { try XMLNode.parse(Array(String(repeating: "<a>", count: 100_000).utf8)) }
    }

    @Test("reads a page of a listing")
    func page() throws {
        let text = """
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><EncodingType>url</EncodingType>
            <IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;k</NextContinuationToken>
            <Contents><Key>p%2Fq/sp+ace%2Bplus</Key><Size>12</Size></Contents>
            <Contents><Key>p%2Fq/</Key><Size>0</Size></Contents><Contents><Key>p/q/folder/</Key><Size>0</Size></Contents>
            </ListBucketResult>
            """
        let page = try S3Page(Array(text.utf8), keyPrefix: "p/q/", "cannot list")
        #expect(page.objects == [ObjectInfo(key: "sp ace+plus", size: 12)])
        #expect(page.next == "t&k")
    }

    @Test(
        "refuses a listing that could lack objects",
        arguments: [
            "<html><body>Welcome</body></html>",
            "<ListBucketResult><Contents><Key>p/a</Key></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>p/a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>other</Key><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            "<ListBucketResult><Contents><Key>p/a</Key><Size>1</Size></Contents>",
        ]
    )
    func badPage(_ text: String) {
        let error = #expect(throws: ObjectStorageError.self) {
            try S3Page(Array(text.utf8), keyPrefix: "p/", "cannot list")
        }
        #expect(error?.code == .unexpected)
        #expect(error?.message.hasPrefix("cannot list: the store's listing can't be read: ") == true)
    }
}
