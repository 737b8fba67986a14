//! A table of text, as Markdown and as CSV.

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
}

impl Table {
    /// As Markdown, with columns aligned.
    pub fn markdown(&self) -> String {
        let head = std::iter::once((self.row.to_owned(), self.columns.clone()));
        let lines: Vec<Vec<String>> =
            head.chain(self.rows.iter().cloned()).map(|(name, values)| [vec![name], values].concat()).collect();
        let width = |c: usize| lines.iter().filter_map(|l| l.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.columns.len()).map(width).collect();
        let line = |cells: &[String]| {
            let cell = |(text, &width): (&String, &usize)| format!(" {:<width$} |", one_line(text));
            format!("|{}\n", cells.iter().zip(&widths).map(cell).collect::<String>())
        };
        let rule = format!("|{}\n", widths.iter().map(|w| format!("{}|", "-".repeat(w + 2))).collect::<String>());
        let body = lines[1..].iter().map(|cells| line(cells)).collect::<String>();
        format!("{}{rule}{body}", line(&lines[0]))
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
