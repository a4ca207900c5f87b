/// The annotations of a pod by which its owner asks for an agent.
public enum Annotation {
    /// `"true"` asks for an agent beside the pod's database.
    public static let inject = "remora.dev/inject"
}
