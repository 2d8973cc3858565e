//! The tables of README.md that tests hold: those troubles that fare alike share a row.

/// Rows `trouble | outcome` as README.md has them, whose columns have these names; the columns from
/// `places` are shown, in this order.
pub(crate) fn rows(table: &str, names: &str, places: &[usize]) -> String {
    let mut alike: Vec<(String, Vec<&str>)> = Vec::new();
    for row in table.lines() {
        let cells: Vec<&str> = row.split(" | ").collect();
        let outcome: Vec<&str> = places.iter().map(|&place| cells[place]).collect();
        let outcome = outcome.join(" | ");
        match alike.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, troubles)) => troubles.push(cells[0]),
            None => alike.push((outcome, vec![cells[0]])),
        }
    }
    let rows = alike.iter();
    let rows = rows.map(|(outcome, troubles)| format!("| {} | {outcome} |\n", troubles.join(", ")));
    let rule = "---|".repeat(places.len() + 1);
    format!("| {names} |\n|{rule}\n{}", rows.collect::<String>())
}

/// Holds README.md to a table.
pub(crate) fn shows(table: &str) {
    println!("{table}");
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(table), "README.md shows another table");
}
