/// Commands in what we say, as the person who reads it would type them.
enum ProgramName {
    /// `remora describe x` as `kubectl remora describe x`, where that is how we were called.
    static func spoken(_ text: String, as program: String) -> String {
        guard program != "remora", text.contains("remora ") else { return text }
        return text.replacing(#/(^|[\s`'"(])remora (?=[a-z])/#) { "\($0.output.1)\(program) " }
    }
}

extension Page {
    /// The page with commands as they are typed.
    func spoken(as program: String) -> Page {
        guard program != "remora" else { return self }
        var page = self
        page.change { span in
            StyledText.Span(text: ProgramName.spoken(span.text, as: program), style: span.style)
        }
        return page
    }
}
