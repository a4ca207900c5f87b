/// What a check of a repository found.
public struct CheckReport: Sendable {
    /// One thing that is not as it should be.
    public struct Finding: Sendable, Hashable, CustomStringConvertible {
        /// How bad it is.
        public enum Severity: String, Sendable {
            /// Data is lost or would be: a restore of something fails.
            case error
            /// Nothing is lost; a prune or a repair tidies it up.
            case hint
        }

        /// How bad it is.
        public var severity: Severity
        /// The file that it is about, relative to the repository.
        public var file: String
        /// One sentence that names the file.
        public var message: String

        /// The sentence.
        public var description: String { "\(severity.rawValue): \(message)" }
    }

    /// Everything found, in the order in which it was found.
    public internal(set) var findings: [Finding] = []
    /// Snapshots that were looked at.
    public internal(set) var snapshots = 0
    /// Index files that were read.
    public internal(set) var indexFiles = 0
    /// Packs that the index names.
    public internal(set) var packs = 0
    /// Blobs that the index names.
    public internal(set) var blobs = 0
    /// Trees that were read.
    public internal(set) var trees = 0
    /// Bytes of packs that were read to the last blob.
    public internal(set) var bytesRead: UInt64 = 0

    /// Findings that mean loss.
    public var errors: [Finding] { findings.filter { $0.severity == .error } }
    /// Whether every snapshot can be restored, as far as was looked.
    public var isSound: Bool { errors.isEmpty }

    mutating func error(_ file: String, _ message: String) {
        findings.append(Finding(severity: .error, file: file, message: message))
    }

    mutating func hint(_ file: String, _ message: String) {
        findings.append(Finding(severity: .hint, file: file, message: message))
    }
}

/// How far a check is.
public struct CheckProgress: Sendable, Equatable {
    /// What is being looked at.
    public enum Phase: String, Sendable {
        /// Index files are read.
        case index
        /// Trees of snapshots are read.
        case trees
        /// Packs are read whole.
        case packs
    }

    /// What is being looked at.
    public var phase: Phase
    /// How many are done.
    public var done: Int
    /// How many there are.
    public var total: Int
}
