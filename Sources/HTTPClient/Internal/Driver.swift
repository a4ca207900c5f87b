import CCurl
import Dispatch
import Glibc
import Synchronization

/// The one thread of a client: it owns libcurl's handles and moves all transfers.
///
/// Tasks leave commands and wake it. It starts with the first transfer and ends when the client is gone.
final class Driver: Sendable {
    private enum Command {
        case start(Transfer)
        case cancel(Transfer)
        case resume(Transfer)
    }

    private struct State {
        var commands: [Command] = []
        var isRunning = false
        var isStopping = false
        /// libcurl's multi handle while the thread runs: `curl_multi_wakeup` is the one call that others may make.
        var multi: MultiHandle?
    }

    private struct MultiHandle: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
    }

    let configuration: HTTPClientConfiguration
    let options: EasyOptions
    private let state = Mutex(State())

    init(_ configuration: HTTPClientConfiguration) {
        self.configuration = configuration
        options = EasyOptions(configuration)
    }

    // MARK: From any task

    func start(_ transfer: Transfer) { submit(.start(transfer)) }
    func resume(_ transfer: Transfer) { submit(.resume(transfer)) }

    func cancel(_ transfer: Transfer) {
        // The mark counts when the thread hasn't begun the transfer yet, the command when it has.
        transfer.markCancelled()
        submit(.cancel(transfer))
    }

    /// Ends the thread; transfers still on their way are cancelled.
    func stop() {
        state.withLock { state in
            state.isStopping = true
            wake(state)
        }
    }

    private func submit(_ command: Command) {
        let isThreadNeeded = state.withLock { state in
            guard state.isRunning else {
                guard case .start = command else { return false }
                state.commands.append(command)
                state.isRunning = true
                return true
            }
            state.commands.append(command)
            wake(state)
            return false
        }
        // A serial queue gets a thread of its own, outside the cooperative pool.
        if isThreadNeeded { DispatchQueue(label: "http-client").async { self.run() } }
    }

    private func wake(_ state: State) {
        if let multi = state.multi { curl_multi_wakeup(multi.pointer) }
    }

    // MARK: On the thread

    private func run() {
        // Writing to a connection that the peer closed must be an error, not the end of the process.
        var pipe = sigset_t()
        var before = sigset_t()
        sigemptyset(&pipe)
        sigaddset(&pipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &pipe, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

        guard Self.isCurlReady, let multi = curl_multi_init() else {
            failAll(HTTPClientError(.unexpected, "libcurl can't be initialised"))
            return
        }
        _ = remora_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnections)
        _ = remora_multi_set_long(multi, CURLMOPT_MAXCONNECTS, configuration.maxConnections)
        let handle = MultiHandle(pointer: multi)
        state.withLock { $0.multi = handle }
        var active: [ObjectIdentifier: Transfer] = [:]
        while !takeCommands(multi, &active) {
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            complete(multi, &active)
            let wait = giveUpLateOnes(multi, &active)
            curl_multi_poll(multi, nil, 0, wait, nil)
        }
        for transfer in active.values { end(transfer, multi, .failure(.cancelled(transfer.request))) }
        curl_multi_cleanup(multi)
    }

    /// libcurl's process-wide state; Swift makes it once.
    private static let isCurlReady = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    private func failAll(_ error: HTTPClientError) {
        let commands = state.withLock { state in
            state.isRunning = false
            defer { state.commands = [] }
            return state.commands
        }
        for case .start(let transfer) in commands { transfer.finish(.failure(error)) }
    }

    /// Carries out what tasks asked for.
    ///
    /// - Returns: whether the thread has to end.
    private func takeCommands(_ multi: UnsafeMutableRawPointer, _ active: inout [ObjectIdentifier: Transfer]) -> Bool {
        let (commands, isStopping) = state.withLock { state in
            defer { state.commands = [] }
            // From here on nobody may wake a handle that is about to go.
            if state.isStopping { state.multi = nil }
            return (state.commands, state.isStopping)
        }
        for command in commands {
            switch command {
            case .start(let transfer):
                begin(transfer, multi, &active)
            case .cancel(let transfer):
                guard active.removeValue(forKey: ObjectIdentifier(transfer)) != nil else { continue }
                end(transfer, multi, .failure(.cancelled(transfer.request)))
            case .resume(let transfer):
                guard active[ObjectIdentifier(transfer)] != nil, let easy = transfer.easy else { continue }
                transfer.resumed()
                curl_easy_pause(easy, CURLPAUSE_CONT)
            }
        }
        return isStopping
    }

    private func begin(
        _ transfer: Transfer,
        _ multi: UnsafeMutableRawPointer,
        _ active: inout [ObjectIdentifier: Transfer]
    ) {
        if transfer.isCancelled {
            transfer.finish(.failure(.cancelled(transfer.request)))
            return
        }
        do {
            let easy = try options.makeEasy(for: transfer)
            transfer.easy = easy
            let result = curl_multi_add_handle(multi, easy)
            guard result == CURLM_OK else {
                throw HTTPClientError(
                    .unexpected,
                    "cannot \(transfer.request.summary): \(String(cString: curl_multi_strerror(result)))"
                )
            }
            active[ObjectIdentifier(transfer)] = transfer
        } catch {
            end(transfer, multi, .failure(error as? HTTPClientError ?? HTTPClientError(.unexpected, "\(error)")))
        }
    }

    /// Ends the transfers that libcurl is done with.
    private func complete(_ multi: UnsafeMutableRawPointer, _ active: inout [ObjectIdentifier: Transfer]) {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE else { continue }
            let result = remora_message_result(message)
            var context: UnsafeMutableRawPointer?
            remora_easy_get_pointer(message.pointee.easy_handle, CURLINFO_PRIVATE, &context)
            guard let context else { continue }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            guard active.removeValue(forKey: ObjectIdentifier(transfer)) != nil else { continue }
            end(transfer, multi, result == CURLE_OK ? .success(()) : .failure(transfer.failure(for: result)))
        }
    }

    /// Ends the transfers whose time is up.
    ///
    /// - Returns: milliseconds until the next one's time is up, at most a minute.
    private func giveUpLateOnes(
        _ multi: UnsafeMutableRawPointer,
        _ active: inout [ObjectIdentifier: Transfer]
    ) -> Int32 {
        let now = ContinuousClock.now
        var wait = Duration.seconds(60)
        for (identifier, transfer) in active {
            guard let deadline = transfer.deadline else { continue }
            if deadline.at <= now {
                active[identifier] = nil
                let error = HTTPClientError(
                    .timedOut,
                    "cannot \(transfer.request.summary): \(deadline.reason)",
                    isTransient: true
                )
                end(transfer, multi, .failure(error))
            } else {
                wait = min(wait, deadline.at - now)
            }
        }
        return Int32(wait.components.seconds * 1000 + wait.components.attoseconds / 1_000_000_000_000_000 + 1)
    }

    /// Gives back libcurl's handle, then tells whoever waits.
    ///
    /// A transfer that is broken off closes its connection.
    private func end(
        _ transfer: Transfer,
        _ multi: UnsafeMutableRawPointer,
        _ result: Result<Void, HTTPClientError>
    ) {
        if let easy = transfer.easy {
            curl_multi_remove_handle(multi, easy)
            curl_easy_cleanup(easy)
            transfer.easy = nil
        }
        curl_slist_free_all(transfer.fields)
        transfer.fields = nil
        curl_slist_free_all(transfer.connections)
        transfer.connections = nil
        transfer.finish(result)
    }
}

extension HTTPClientError {
    static func cancelled(_ request: HTTPRequest) -> Self {
        Self(.cancelled, "\(request.summary) was cancelled")
    }
}
