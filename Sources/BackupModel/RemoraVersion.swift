/// The version of Remora: agent, coordinator and CLI are released together.
public enum RemoraVersion {
    /// As `--version` prints it and manifests record it.
    public static let current = "0.1.0"
}
