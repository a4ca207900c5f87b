import RemoraCLI

/// `remora`: everything is in `RemoraCLI`, where it can be tested.
@main
struct Remora {
    static func main() async {
        await RemoraProgram.main()
    }
}
