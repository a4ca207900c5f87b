import BSON
import CCrypto

/// Paths in a dump, as mongodump names them.
enum DumpPath {
    /// Longest escaped name that mongodump leaves whole.
    private static let longest = 238
    /// What remains of a longer one, before `%24` and the hash.
    private static let kept = 208

    /// Path of a collection's documents.
    static func data(_ database: String, _ collection: String) -> String {
        "\(database)/\(stem(collection)).bson"
    }

    /// Path of a collection's metadata.
    static func metadata(_ database: String, _ collection: String) -> String {
        "\(database)/\(stem(collection)).metadata.json"
    }

    /// The escaped name: Go's `url.QueryEscape`, cut and hashed when it is long.
    static func stem(_ collection: String) -> String {
        let escaped = escape(collection)
        guard escaped.utf8.count > longest else { return escaped }
        var digest = [UInt8](repeating: 0, count: 20)
        let name = [UInt8](collection.utf8)
        _ = EVP_Digest(name, name.count, &digest, nil, EVP_sha1(), nil)
        return String(decoding: escaped.utf8.prefix(kept), as: UTF8.self) + "%24" + Base64.encodeURL(digest)
    }

    /// Whether stock mongorestore can't read back the name that mongodump's rules give: the cut may fall inside an
    /// escape, and then it gives up before restoring anything.
    static func breaksStockRestore(_ collection: String) -> Bool {
        let escaped = [UInt8](escape(collection).utf8)
        return escaped.count > longest && escaped[kept - 2..<kept].contains(UInt8(ascii: "%"))
    }

    private static func escape(_ text: String) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: " "): result.append(UInt8(ascii: "+"))
            default:
                result.append(UInt8(ascii: "%"))
                result += Hexadecimal.encode([byte]).uppercased().utf8
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
