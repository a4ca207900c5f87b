import BackupModel
import Foundation
import Synchronization

@testable import RemoraCLI

/// How a command ended (`TestSupport` has an `ExitStatus` of processes).
typealias Ending = ExitStatus

/// A console whose writing a test can read.
final class Screen: Sendable {
    private let outputBytes = Mutex<[UInt8]>([])
    private let errorBytes = Mutex<[UInt8]>([])

    /// What went to standard output.
    var output: String { outputBytes.withLock { String(decoding: $0, as: UTF8.self) } }
    /// What went to standard error.
    var error: String { errorBytes.withLock { String(decoding: $0, as: UTF8.self) } }

    /// A console on this screen.
    func console(isTerminal: Bool = false, colours: Bool = false, width: Int = 80) -> Console {
        Console(
            output: Channel(isTerminal: isTerminal, usesColours: colours, width: { width }) { bytes in
                self.outputBytes.withLock { $0 += bytes }
                return 0
            },
            error: Channel(isTerminal: isTerminal, usesColours: colours, width: { width }) { bytes in
                self.errorBytes.withLock { $0 += bytes }
                return 0
            }
        )
    }

    /// Runs a command on this screen, with an environment of its own.
    func run(_ arguments: [String], environment: [String: String] = [:]) async -> ExitStatus {
        let surroundings = Surroundings(console: console(), clock: .fixed, environment: environment)
        return await Surroundings.$current.withValue(surroundings) { await RemoraProgram.run(arguments) }
    }
}

extension Clock {
    /// 2026-08-22 10:00:00 UTC, in a zone two hours ahead.
    static let fixed = Clock(
        now: { Moment("2026-08-22T10:00:00Z") ?? Moment(unixMs: 0) },
        zone: { _ in (7200, "CEST") }
    )
}
