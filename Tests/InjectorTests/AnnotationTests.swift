import Injector
import Testing

@Suite("Annotations")
struct AnnotationTests {
    @Test("the annotation that asks for an agent is in our group")
    func group() { #expect(Annotation.inject == "remora.dev/inject") }
}
