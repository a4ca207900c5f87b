/// A read at one point of history can't go on: the server has forgotten it, or names mean something else by now.
///
/// What was read so far is of no use; the backup is made in another way.
struct SnapshotLost: Error {
    /// Why, as the end of a sentence.
    var reason: String
}
