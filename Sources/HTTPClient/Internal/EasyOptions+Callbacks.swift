import CCurl

extension EasyOptions {
    /// Leads libcurl's callbacks to the transfer; all of them come on the client's thread.
    func setCallbacks(_ setter: inout Setter, _ transfer: Transfer) {
        let easy = setter.easy
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        setter.set(pointer: CURLOPT_PRIVATE, context)
        setter.set(pointer: CURLOPT_ERRORBUFFER, transfer.errorText)
        setter.set(pointer: CURLOPT_WRITEDATA, context)
        setter.set(pointer: CURLOPT_HEADERDATA, context)
        setter.set(pointer: CURLOPT_READDATA, context)
        setter.set(pointer: CURLOPT_SEEKDATA, context)
        setter.set(pointer: CURLOPT_XFERINFODATA, context)
        setter.set(pointer: CURLOPT_PREREQDATA, context)
        setter.set(CURLOPT_NOPROGRESS, 0)
        setter.note(
            remora_easy_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                switch transferOf(context)?.receive(body: UnsafeRawBufferPointer(start: bytes, count: size * count)) {
                case .taken: size * count
                case .pause: Int(CURL_WRITEFUNC_PAUSE)
                case .abort, nil: 0
                }
            }
        )
        setter.note(
            remora_easy_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
                let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
                return transferOf(context)?.receive(headLine: line) == true ? size * count : 0
            }
        )
        setter.note(
            remora_easy_set_data_callback(easy, CURLOPT_READFUNCTION) { bytes, size, count, context in
                let buffer = UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
                return transferOf(context)?.send(into: buffer) ?? Int(CURL_READFUNC_ABORT)
            }
        )
        setter.note(
            remora_easy_set_seek_callback(easy) { context, offset, origin in
                guard origin == 0, transferOf(context)?.rewind(to: Int(offset)) == true else {
                    return CURL_SEEKFUNC_FAIL
                }
                return CURL_SEEKFUNC_OK
            }
        )
        setter.note(
            remora_easy_set_progress_callback(easy) { context, _, downloaded, _, uploaded in
                transferOf(context)?.progressed(downloaded &+ uploaded)
                return 0
            }
        )
        setter.note(
            remora_easy_set_connected_callback(easy) { context, _, _, _, _ in
                transferOf(context)?.connected()
                return CURL_PREREQFUNC_OK
            }
        )
    }
}

private func transferOf(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
}
