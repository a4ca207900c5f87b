/// A polynomial over GF(2), a bit a coefficient: what restic's own chunker is keyed with.
///
/// We don't chunk with it, but the stock tool refuses a repository whose polynomial is not irreducible.
struct Polynomial: Equatable, Sendable, CustomStringConvertible {
    var bits: UInt64

    /// Hex digits without a prefix, as in the configuration file.
    var description: String { String(bits, radix: 16) }

    /// Degree of the highest coefficient; -1 of zero.
    var degree: Int { 63 - bits.leadingZeroBitCount }

    /// A random irreducible polynomial of degree 53.
    static func random() throws -> Polynomial {
        while true {
            // About every 27th candidate with bit 0 set is irreducible.
            let raw = try Random.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let candidate = Polynomial(bits: raw & (1 << 53 - 1) | 1 << 53 | 1)
            if candidate.isIrreducible { return candidate }
        }
    }

    /// Rabin's test: no factor of degree up to half of ours, by gcd with x^(2^i) - x.
    var isIrreducible: Bool {
        guard degree > 0 else { return false }
        var power = Polynomial(bits: 2).remainder(self)  // x
        for _ in 0..<(degree / 2) {
            power = power.squared(modulo: self)
            let difference = Polynomial(bits: power.bits ^ 2).remainder(self)
            guard Polynomial.gcd(self, difference).bits == 1 else { return false }
        }
        return true
    }

    func remainder(_ divisor: Polynomial) -> Polynomial {
        var rest = self
        while rest.bits != 0, rest.degree >= divisor.degree {
            rest.bits ^= divisor.bits << UInt64(rest.degree - divisor.degree)
        }
        return rest
    }

    func squared(modulo modulus: Polynomial) -> Polynomial {
        var result: UInt64 = 0
        var shifted = remainder(modulus)
        for bit in 0...max(0, degree) {
            if bits >> UInt64(bit) & 1 == 1 { result ^= shifted.bits }
            shifted.bits <<= 1
            if shifted.degree == modulus.degree { shifted.bits ^= modulus.bits }
        }
        return Polynomial(bits: result).remainder(modulus)
    }

    static func gcd(_ left: Polynomial, _ right: Polynomial) -> Polynomial {
        var (larger, smaller) = (left, right)
        while smaller.bits != 0 { (larger, smaller) = (smaller, larger.remainder(smaller)) }
        return larger
    }
}
