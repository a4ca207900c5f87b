import CPlatform
import Engines
import Testing

@Suite("CRC-64")
struct CRC64Tests {
    @Test("the catalogue's check value comes out")
    func checkValue() {
        #expect(CRC64(Array("123456789".utf8).span.bytes).value == 0x995D_C9BB_DF19_39FA)
        #expect(CRC64([UInt8]().span.bytes).value == 0)
    }

    @Test("with the processor's help the same comes out as by the table, at every length and offset")
    func help() {
        let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7 ^ $0 >> 3) }
        bytes.withUnsafeBytes { all in
            for length in Array(0...300) + Array(1000...1300) + [511, 512, 513, 1535, 1536, 4000, 4095, 4096] {
                for offset in [0, 1, 3, 7, 8, 15, 16, 33, 63, 64] {
                    let part = UnsafeRawBufferPointer(rebasing: all[offset..<offset + length])
                    let crc = remora_crc64(UInt64(offset), part.baseAddress, length)
                    #expect(crc == remora_crc64_portable(UInt64(offset), part.baseAddress, length))
                }
            }
        }
    }

    @Test("parts joined in order are the whole", arguments: [0, 1, 7, 8, 9, 255, 1000, 4095])
    func joining(cut: Int) {
        let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let whole = CRC64(bytes.span.bytes)
        let head = Array(bytes[..<cut])
        let tail = Array(bytes[cut...])
        var joined = CRC64()
        joined.append(CRC64(head.span.bytes).value, length: head.count)
        joined.append(CRC64(tail.span.bytes).value, length: tail.count)
        #expect(joined == whole)
        var continued = CRC64(head.span.bytes)
        continued.update(tail.span.bytes)
        #expect(continued == whole)
    }
}
