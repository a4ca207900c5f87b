/// What one check found, and what mends it.
struct Finding: Codable, Sendable, Hashable {
    /// How bad it is.
    enum Level: String, Codable, Sendable, CaseIterable {
        case ok
        /// Backups work, or may; or it could not be looked at.
        case warn
        /// Something does not work.
        case fail
    }

    /// Which check: a stable word for programs.
    var check: String
    var level: Level
    /// What it is about: a pod, a secret, a namespace.
    var subject: String?
    /// One sentence.
    var message: String
    /// The command, or the words, that mend it.
    var fix: String?
}

/// Collects what one check finds.
struct Findings: Sendable {
    let check: String
    private(set) var all: [Finding] = []

    init(_ check: String) { self.check = check }

    mutating func ok(_ message: String, _ subject: String? = nil) {
        all.append(Finding(check: check, level: .ok, subject: subject, message: message))
    }

    mutating func warn(_ message: String, _ subject: String? = nil, fix: String? = nil) {
        all.append(Finding(check: check, level: .warn, subject: subject, message: message, fix: fix))
    }

    mutating func fail(_ message: String, _ subject: String? = nil, fix: String? = nil) {
        all.append(Finding(check: check, level: .fail, subject: subject, message: message, fix: fix))
    }

    /// Says why something could not be looked at; gives what was found.
    mutating func look<Value>(
        _ fetched: Fetched<Value>,
        _ what: String,
        _ subject: String? = nil,
        missing: (message: String, fix: String)
    ) -> Value? {
        switch fetched {
        case .found(let value): return value
        case .missing: fail(missing.message, subject, fix: missing.fix)
        case .denied(let reason):
            warn(
                "\(what) can't be looked at: \(reason)",
                subject,
                fix: "ask for the right, or let somebody run this who has it"
            )
        case .failed(let reason): fail("\(what) can't be read: \(reason)", subject)
        case .notAsked: break
        }
        return nil
    }
}
