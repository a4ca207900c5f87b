/// `remora enroll` and `remora unenroll`: what changes, and what that does.
enum EnrollPage {
    static func make(_ enrollment: Enrollment, consequence: String) -> Page {
        var page = Page()
        let place = "\(enrollment.workload) in \(enrollment.namespace)"
        page.add("\(place, .bold): its pod template changes")
        for change in enrollment.changes {
            switch (change.before, change.after) {
            case (nil, let after): page.add("  \("+", .good) \(change.annotation): \(after ?? "")")
            case (let before, nil): page.add("  \("-", .bad) \(change.annotation): \(before ?? "")")
            case (let before, let after):
                page.add("  \("~", .caution) \(change.annotation): \(after ?? "") \("(was \(before ?? ""))", .dim)")
            }
        }
        page.add("\(consequence, .bold)")
        return page
    }
}
