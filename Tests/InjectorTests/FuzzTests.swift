import PodFuzz
import Testing

@Suite("Random pods")
struct FuzzTests {
    @Test("every patch applies, validates, is idempotent and touches nothing else", arguments: 0..<8)
    func many(part: UInt64) async {
        // `make fuzz` looks at a million; these are the first twenty thousand of them.
        for seed in stride(from: part, to: 20_000, by: 8) {
            do {
                _ = try PodFuzz.check(seed: seed)
            } catch {
                Issue.record("make fuzz SEED=\(seed): \(error)")
                return
            }
        }
    }

    @Test("a seed gives the same pod again, and seeds give all kinds of pods")
    func seeds() throws {
        let first = try (0..<200).map { try PodFuzz.check(seed: $0) }
        #expect(try (0..<200).map { try PodFuzz.check(seed: $0) } == first)
        #expect(Set(first).isSuperset(of: ["injected", "notAsked", "refused: annotation", "refused: container"]))
    }
}
