//! Columns of text for a terminal.
use app::time::Moment;

/// Rows under headings, each column as wide as its longest cell. Control characters never reach the terminal.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let clean = |cell: &str| cell.chars().filter(|letter| !letter.is_control()).collect::<String>();
    let rows: Vec<Vec<String>> = std::iter::once(headings.iter().map(|heading| heading.to_uppercase()).collect())
        .chain(rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub fn time(moment: Moment) -> String {
    moment.format("%Y-%m-%d %H:%M UTC").to_string()
}

pub fn time_or_none(moment: Option<Moment>) -> String {
    moment.map_or_else(|| "—".into(), time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_hold_no_control_characters() {
        let rows =
            [vec!["rot_1".to_owned(), "payments/ä".to_owned()], vec!["r".to_owned(), "b\u{1b}[31m\n".to_owned()]];
        assert_eq!(table(&["id", "secret"], &rows), "ID     SECRET\nrot_1  payments/ä\nr      b[31m\n");
        assert_eq!(table(&["id"], &[]), "ID\n");
    }
}
