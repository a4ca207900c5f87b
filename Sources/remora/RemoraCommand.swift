@main
struct RemoraCommand {
    static func main() {}
}
