import Hummingbird
import HummingbirdCore
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import Coordinator

@Suite struct HTTPServiceTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func service(_ address: ListenAddress) -> HTTPService<
        Application<RouterResponder<BasicRequestContext>>
    > {
        let router = Router()
        router.get("/") { _, _ in "here" }
        return HTTPService(
            application: Application(
                router: router,
                configuration: ApplicationConfiguration(address: .hostname(address.host, port: address.port)),
                logger: quiet
            ),
            address: address
        )
    }

    /// NIO would end the whole process.
    @Test("a server that is cancelled while connections come ends, and nothing else")
    func cancelled() async throws {
        for _ in 0..<20 {
            let address = try #require(ListenAddress("127.0.0.1:\(try Ports.free())"))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                let serving = Task { try await Self.service(address).run() }
                try await eventually("it answers") { await address.isAnswering() }
                for _ in 0..<4 {
                    tasks.addTask { while !Task.isCancelled { _ = await address.isAnswering() } }
                }
                for _ in 0..<10 { _ = await address.isAnswering() }
                serving.cancel()
                try await serving.value
                try await eventually("it listens no more") { await !address.isAnswering() }
                tasks.cancelAll()
            }
        }
    }

    @Test("without a host it answers at all addresses, of both families where there are two")
    func everywhere() async throws {
        let port = try Ports.free()
        let address = try #require(ListenAddress(":\(port)"))
        let serving = Task { try await Self.service(address).run() }
        let hosts = address.host == "::" ? ["127.0.0.1", "[::1]"] : ["127.0.0.1"]
        for host in hosts {
            let there = try #require(ListenAddress("\(host):\(port)"))
            try await eventually("it answers at \(there)") { await there.isAnswering() }
        }
        serving.cancel()
        try await serving.value
        #expect(ListenAddress("[]:\(port)") == nil)
    }

    @Test("an address that is taken is named")
    func taken() async throws {
        let address = try #require(ListenAddress("127.0.0.1:\(try Ports.free())"))
        let serving = Task { try await Self.service(address).run() }
        try await eventually("it answers") { await address.isAnswering() }
        let error = await #expect(throws: CoordinatorError.self) { try await Self.service(address).run() }
        #expect(error?.description.hasPrefix("can't serve on \(address): ") == true)
        serving.cancel()
        try await serving.value
    }
}
