import Testing

@testable import Repository

extension Repository {
    /// Expects that each tree below this one, decoded and encoded again without its foreign fields, has the same names;
    /// and that names are spelled byte for byte as they were.
    func expectTreesRoundTrip(_ id: BlobID) async throws {
        let json = try await blob(id, .tree)
        let tree = try Tree(json: json)
        let again = try Tree(json: Tree(nodes: tree.nodes).json)
        #expect(again == tree)
        let text = String(decoding: json, as: UTF8.self)
        for node in tree.nodes {
            var object = JSONObjectWriter()
            object.member("name", utf8: GoQuote.quote(node.name))
            let spelled = String(decoding: object.finish().dropLast(), as: UTF8.self)
            #expect(text.contains(spelled), "stock restic spells \(node.name) otherwise than \(spelled)")
            #expect(text.contains("\"mtime\":\"") && Timestamp(node.modified.description) == node.modified)
            if let subtree = node.subtree { try await expectTreesRoundTrip(subtree) }
        }
    }
}
