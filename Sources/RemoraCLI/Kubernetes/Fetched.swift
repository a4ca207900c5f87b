/// What became of asking for something: checks tell "it isn't there" from "I may not look".
enum Fetched<Value: Sendable>: Sendable {
    case found(Value)
    case missing
    /// The API server refuses to show it to this person; the sentence says what.
    case denied(String)
    /// It could not be had; the sentence says why.
    case failed(String)
    /// Nobody asked, because something before it failed.
    case notAsked

    /// What was found.
    var value: Value? { if case .found(let value) = self { value } else { nil } }

    func map<Other>(_ transform: (Value) throws -> Other) rethrows -> Fetched<Other> {
        switch self {
        case .found(let value): .found(try transform(value))
        case .missing: .missing
        case .denied(let reason): .denied(reason)
        case .failed(let reason): .failed(reason)
        case .notAsked: .notAsked
        }
    }
}

extension Fetched: Equatable where Value: Equatable {}
