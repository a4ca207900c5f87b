import ArgumentParser
import RemoraCLI

/// The coordinator, or the command line when it is called by that name.
///
/// One program in the image instead of two: most of each is the same libraries.
@main
enum Program {
    static func main() async {
        let name = CommandLine.arguments.first?.split(separator: "/").last ?? ""
        if name == "remora" || name == "kubectl-remora" {
            await RemoraProgram.main()
        } else {
            await CoordinatorMain.main()
        }
    }
}
