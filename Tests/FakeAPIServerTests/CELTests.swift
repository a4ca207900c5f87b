import Kubernetes
import Testing

@testable import FakeAPIServer

@Suite("CEL")
struct CELTests {
    private func value(_ text: String, _ variables: [String: CELValue] = [:]) throws -> CELValue {
        let types = variables.mapValues { _ in CELType.dyn }
        return try CELProgram(text, variables: types, result: nil).evaluate(variables)
    }

    @Test(
        "expressions that are true",
        arguments: [
            "1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "7 / 2 == 3 && 7 % 2 == 1", "-7 / 2 == -3", "1.5 + 1.5 == 3.0",
            "'a' + 'b' == \"ab\"",
            "[1, 2] + [3] == [1, 2, 3]", "2 in [1, 2]", "!(3 in [1, 2])", "'a' in {'a': 1}", "{'a': 1}.a == 1",
            "{'a': {'b': 2}}['a'].b == 2",
            "has({'a': 1}.a) && !has({'a': 1}.b)", "true ? true : false",
            "1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2",
            "'abc' < 'abd'", "size('äöü') == 3", "'abc'.size() == 3", "size([1, 2]) == 2", "size({'a': 1}) == 1",
            "'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')",
            "'a-1'.matches('^[a-z]-[0-9]$')",
            "!'x'.matches('^[0-9]')", "'a,b,c'.split(',') == ['a', 'b', 'c']", "'a,b,c'.split(',', 2) == ['a', 'b,c']",
            "['a', 'b'].join('-') == 'a-b'", "'AbC'.lowerAscii() == 'abc' && 'AbC'.upperAscii() == 'ABC'",
            "' a '.trim() == 'a'",
            "'hello'.replace('l', 'L') == 'heLLo'", "'hello'.substring(1, 3) == 'el'", "'hello'.indexOf('l') == 2",
            "'hello'.lastIndexOf('l') == 3", "'hello'.charAt(1) == 'e'", "[1, 2, 3].all(x, x > 0)",
            "[1, 2, 3].exists(x, x == 2)",
            "[1, 2, 3].exists_one(x, x > 2)", "[1, 2, 3].filter(x, x > 1) == [2, 3]", "[1, 2].map(x, x * 2) == [2, 4]",
            "[1, 2, 3].map(x, x > 1, x * 2) == [4, 6]", "{'a': 1, 'b': 2}.all(k, k in ['a', 'b'])",
            "[1, 2].isSorted() && [1, 2].sum() == 3",
            "[3, 1].max() == 3 && [3, 1].min() == 1", "int('7') == 7 && string(7) == '7' && double('1.5') == 1.5",
            "duration('1h30m') > duration('60m')", "timestamp('2026-01-02T03:04:05Z').getFullYear() == 2026",
            "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
            "quantity('1Gi').isGreaterThan(quantity('900Mi'))", "isQuantity('10x') == false", "r'\\d' == '\\\\d'",
            "'''a\nb''' == 'a\\nb'",
            "true || 1 / 0 == 1", "!(false && 1 / 0 == 1)", "1 / 0 == 1 || true", "[0, 1].exists(x, 1 / x == 1)",
            "type(1) == int && type('a') == string", "1 < 1.5 && 2.5 > 1", "dyn(1) == dyn(1.0)",
            "{'a': 1}[?'b'].orValue(5) == 5",
            "optional.of(3).hasValue()", "[1, 2, 3].all(i, v, v == i + 1)", "'%s-%d'.format(['a', 1]) == 'a-1'",
            "sets.contains([1, 2], [1])", "0x1F == 31", "5u + 1u == 6u", "1 + 2 // no more\n == 3",
            "cel.bind(x, 4, x * x) == 16",
        ]
    )
    func isTrue(text: String) throws {
        #expect(try value(text) == .bool(true))
    }

    @Test(
        "expressions that fail when asked",
        arguments: [
            "1 / 0 == 1", "[1][2] == 1", "{'a': 1}['b'] == 1", "9223372036854775807 + 1 > 0", "dyn('a') < dyn(1)",
            "int('x') == 1",
        ]
    )
    func fails(text: String) {
        #expect(throws: CELError.self) { try value(text) }
    }

    @Test(
        "expressions that don't compile, with the place",
        arguments: [
            ("1 +", "<input>:1:4: Syntax error: mismatched input '<EOF>'"), ("foo(1)", "undeclared reference to 'foo'"),
            ("'a' + 1 == 'a'", "found no matching overload for '_+_' applied to '(string, int)'"),
            ("bar == 1", "undeclared reference to 'bar'"), ("1 == 'a'", "found no matching overload for '_==_'"),
            ("'a'.matches('(')", "invalid matches argument"),
            ("'a'.matches('(?=b)')", "invalid or unsupported Perl syntax"),
            ("1 ? 2 : 3", "found no matching overload for '_?_:_'"),
            ("[1].all(x, x)", "found no matching overload for '_&&_'"),
            ("self.", "mismatched input"), ("'abc", "unterminated string"), ("namespace == 'a'", "reserved identifier"),
            ("'a' && true", "found no matching overload for '_&&_'"), ("has(1)", "invalid argument to has() macro"),
            ("a.\nb.c ==", "<input>:2:"), ("'a'.size(1) == 1", "found no matching overload for 'size'"),
        ]
    )
    func refused(text: String, reason: String) {
        let error = #expect(throws: CELError.self) { _ = try CELProgram(text, variables: ["a": .dyn], result: nil) }
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test("a rule must come to a truth value")
    func mustBeBool() {
        let error = #expect(throws: CELError.self) { _ = try CELProgram("1 + 1", variables: [:], result: .bool) }
        #expect(error?.description.contains("must evaluate to bool") == true)
    }

    @Test("fields that a schema doesn't name are undefined, words of CEL are escaped")
    func schemaTypes() throws {
        var schema = Schema(type: "object")
        schema.properties["name"] = Schema(type: "string")
        schema.properties["namespace"] = Schema(type: "string")
        schema.properties["a-b"] = Schema(type: "integer")
        let type = CELType(schema, name: "self")
        #expect(throws: CELError.self) {
            _ = try CELProgram("self.nam == ''", variables: ["self": type], result: .bool)
        }
        #expect(throws: CELError.self) {
            _ = try CELProgram("self.namespace == ''", variables: ["self": type], result: .bool)
        }
        let program = try CELProgram(
            "self.__namespace__ == 'x' && self.a__dash__b == 1",
            variables: ["self": type],
            result: .bool
        )
        #expect(try program.isTrue(["self": CELValue(["namespace": "x", "a-b": 1], schema)]))
    }

    @Test("what a rule may cost grows with what the schema allows")
    func cost() throws {
        var list = Schema(type: "array")
        list.items = [Schema(type: "string")]
        var schema = Schema(type: "object")
        schema.properties["list"] = list
        let node = try CELParser.parse("self.list.all(x, x.matches('^[a-z]+$'))")
        #expect(CELCost.estimate(node, schema: schema) > CRDRules.costLimit)
        schema.properties["list"]?.limits.maxItems = 10
        schema.properties["list"]?.items[0].limits.maxLength = 100
        #expect(CELCost.estimate(node, schema: schema) < 10_000)
    }
}
