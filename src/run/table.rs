//! A table of text, as Markdown, as text for a terminal and as CSV.

use super::markdown;
use crate::data::one_line;
use crate::text::defused;

/// A table with one row per model or run.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name of the first column, such as `model`.
    pub row: &'static str,
    /// Names of the columns after the first.
    pub columns: Vec<String>,
    /// Rows: name and values.
    pub rows: Vec<(String, Vec<String>)>,
    /// The row that is set in bold, if any.
    pub bold: Option<usize>,
}

impl Table {
    /// As Markdown, with columns aligned. No character of a cell is read as markup.
    pub fn markdown(&self) -> String {
        self.lines(|text, bold| if bold { markdown::bold(text) } else { markdown::escaped(text) }, |text, _| text)
    }

    /// As text for a terminal, without markup. `bold` formats the cells of the row in bold.
    pub fn text(&self, bold: impl Fn(String) -> String) -> String {
        self.lines(|text, _| one_line(text), |text, is_bold| if is_bold { bold(text) } else { text })
    }

    /// The lines of the table. `cell` gives the text of a cell, which aligns the columns. `mark` then formats the
    /// aligned text.
    fn lines(&self, cell: impl Fn(&str, bool) -> String, mark: impl Fn(String, bool) -> String) -> String {
        let head = cells(self.row, &self.columns, |text| cell(text, false));
        let is_bold = |at: usize| self.bold == Some(at);
        let rows = self.rows.iter().enumerate();
        let rows: Vec<Vec<String>> =
            rows.map(|(at, (name, values))| cells(name, values, |text| cell(text, is_bold(at)))).collect();
        let all = || std::iter::once(&head).chain(&rows);
        let width = |c: usize| all().filter_map(|line| line.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.columns.len()).map(width).collect();
        let line = |cells: &[String], bold: bool| {
            let cell = |(text, &width): (&String, &usize)| format!(" {} |", mark(format!("{text:<width$}"), bold));
            format!("|{}\n", cells.iter().zip(&widths).map(cell).collect::<String>())
        };
        let rule = format!("|{}\n", widths.iter().map(|w| format!("{}|", "-".repeat(w + 2))).collect::<String>());
        let body = rows.iter().enumerate().map(|(at, cells)| line(cells, is_bold(at))).collect::<String>();
        format!("{}{rule}{body}", line(&head, false))
    }

    /// As CSV. Names that a spreadsheet would take for formulas are escaped.
    pub fn csv(&self) -> String {
        let mut csv = csv::Writer::from_writer(vec![]);
        let columns: Vec<String> = self.columns.iter().map(|column| defused(column)).collect();
        // Writing into memory does not fail.
        let _ = csv.write_record(std::iter::once(self.row).chain(columns.iter().map(String::as_str)));
        for (name, values) in &self.rows {
            let _ = csv.write_record(std::iter::once(name).chain(values).map(|cell| defused(cell)));
        }
        csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

/// The cells of a line.
fn cells(name: &str, values: &[String], cell: impl Fn(&str) -> String) -> Vec<String> {
    std::iter::once(name).chain(values.iter().map(String::as_str)).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_text_in_markdown_and_as_they_are_on_a_terminal() {
        let rows = vec![
            ("1".to_owned(), vec!["a|*b*".to_owned(), "0.5".into()]),
            ("2".into(), vec!["<x>\ny".into(), String::new()]),
        ];
        let table = Table { row: "rank", columns: vec!["data".into(), "`score`".into()], rows, bold: Some(0) };
        let expected = [
            r"| rank  | data         | \`score\` |",
            r"|-------|--------------|-----------|",
            r"| **1** | **a\|\*b\*** | **0.5**   |",
            r"| 2     | \<x\> y      |           |",
        ];
        assert_eq!(table.markdown().lines().collect::<Vec<_>>(), expected);
        let text = table.text(|text| format!("[{text}]"));
        assert_eq!(text.lines().nth(2), Some("| [1   ] | [a|*b*] | [0.5    ] |"));
        assert_eq!(text.lines().nth(3), Some("| 2    | <x> y |         |"));
    }
}
