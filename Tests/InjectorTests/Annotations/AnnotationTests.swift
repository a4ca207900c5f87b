import Foundation
import Injector
import Testing

@Suite("Annotations")
struct AnnotationTests {
    @Test("every annotation is in our group and explained")
    func table() {
        #expect(Annotation.inject.name == "remora.dev/inject")
        for annotation in Annotation.allCases {
            #expect(annotation.name.hasPrefix("remora.dev/"))
            #expect(annotation.help.hasSuffix("."), "\(annotation)")
            #expect(!annotation.values.isEmpty && !annotation.fallback.isEmpty, "\(annotation)")
        }
    }

    @Test("the reference page has the table as it is in the code")
    func page() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/reference/annotations.md"), encoding: .utf8)
        #expect(page.contains("\n\n\(Annotation.markdown)\n\n"))
        for mark in [
            AgentMark.status, AgentMark.injectError, AgentMark.injected, AgentMark.cluster, AgentMark.container,
        ] {
            #expect(page.contains("`\(mark)`"))
        }
    }
}
