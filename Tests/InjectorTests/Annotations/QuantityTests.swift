import Testing

@testable import Injector

@Suite("Quantities")
struct QuantityTests {
    @Test(
        "equal ones are equal, however they are written",
        arguments: [
            ("1", "1000m"), ("1Gi", "1024Mi"), ("0.5Gi", "512Mi"), ("1e3", "1k"), ("1E3", "1000"), ("+5", "5"),
            ("1.", "1"), (".5", "500m"),
        ]
    )
    func equal(left: String, right: String) throws {
        #expect(try #require(Quantity(left)) == #require(Quantity(right)))
    }

    @Test("they are in order")
    func order() throws {
        let texts = [
            "-1", "0", "1n", "1u", "1m", "999m", "1", "1k", "1Ki", "1M", "1Mi", "1G", "1Gi", "1T", "1E", "1Ei",
        ]
        let quantities = try texts.map { try #require(Quantity($0)) }
        #expect(quantities == quantities.sorted())
        #expect(Set(quantities).count == texts.count)
    }

    @Test(
        "what is none is none",
        arguments: [
            "", " ", "m", "1 Gi", "1ki", "1KI", "0x10", "1e", "1e99", "--1", "1.2.3", "123456789012345678901", "NaN",
        ]
    )
    func wrong(text: String) { #expect(Quantity(text) == nil) }
}
