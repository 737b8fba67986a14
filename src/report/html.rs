//! Pieces of HTML. All text from outside passes through [`escaped`].

use std::collections::BTreeSet;
use std::fmt::{Display, Write};

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::run::pictures::{Place, photographs};

/// Start of a JPEG file.
pub(super) const JPEG: &[u8] = b"\xff\xd8\xff";

/// Text for an element or a quoted attribute.
pub(super) fn escaped(text: impl Display) -> String {
    let text = text.to_string();
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // HTML does not allow control characters; a file name may have them.
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A PNG or JPEG file as a data URI.
pub(super) fn data_uri(picture: &[u8]) -> String {
    let kind = if picture.starts_with(JPEG) { "jpeg" } else { "png" };
    format!("data:image/{kind};base64,{}", BASE64_STANDARD.encode(picture))
}

/// A cell of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub text: String,
    /// Whether it is the best of its column.
    pub best: bool,
    /// Length of the bar under the text, 0..1.
    pub bar: Option<f64>,
}

impl Cell {
    /// A score with a bar of its length.
    pub fn bar(share: Option<f64>, text: impl Fn(f64) -> String) -> Self {
        Cell { text: share.map_or("–".into(), text), bar: share, best: false }
    }

    fn is_number(&self) -> bool {
        self.text.is_empty() || self.text == "–" || self.text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell { text: text.into(), ..Cell::default() }
    }
}

/// A row of a table, named by its first cell.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub cells: Vec<Cell>,
    /// Whether its values differ.
    pub differs: bool,
}

impl Row {
    /// A row of these cells.
    pub fn of<C: Into<Cell>>(cells: impl IntoIterator<Item = C>) -> Self {
        Row { cells: cells.into_iter().map(Into::into).collect(), differs: false }
    }
}

/// Largest number of columns whose heads fit a phone. With more columns, heads are rotated on a phone.
const FEW_COLUMNS: usize = 6;

/// A table in a box that scrolls on narrow pages. Columns of numbers are right-aligned.
pub(super) fn table(caption: &str, head: &[String], rows: &[Row]) -> String {
    let numeric = |column: usize| rows.iter().all(|row| row.cells.get(column).is_none_or(Cell::is_number));
    let class = |column: usize| if column > 0 && numeric(column) { " class=\"n\"" } else { "" };
    let mut html = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table{1}>\n<caption>{0}</caption>\n<thead><tr>",
        escaped(caption),
        if head.len() > FEW_COLUMNS { " class=\"many\"" } else { "" }
    );
    for (column, name) in head.iter().enumerate() {
        push(&mut html, format_args!("<th scope=\"col\"{}>{}</th>", class(column), escaped(name)));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str(if row.differs { "<tr class=\"differs\">" } else { "<tr>" });
        for (column, cell) in row.cells.iter().enumerate() {
            let text = escaped(&cell.text);
            let text = if cell.best { format!("<strong>{text}</strong>") } else { text };
            let bar = cell.bar.filter(|share| share.is_finite());
            let bar = bar.map_or(String::new(), |share| format!(" style=\"--s:{share:.3}\""));
            match column {
                0 => push(&mut html, format_args!("<th scope=\"row\">{text}</th>")),
                _ => push(&mut html, format_args!("<td{}{bar}>{text}</td>", class(column))),
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// Most photographs in a row that are seen side by side on a phone, if small. Rows of more scroll there.
const SIDE_BY_SIDE: usize = 4;

/// Columns of photographs. The colors of a legend are narrow, and count for none.
fn columns(places: &[Place]) -> usize {
    let widest = places.iter().map(|place| place.width).max().unwrap_or(0);
    let photographs = places.iter().filter(|place| 2 * place.width >= widest);
    photographs.map(|place| place.x).collect::<BTreeSet<u32>>().len()
}

/// A picture as wide as the page, or in its native size in a box that scrolls. `id` is unique on the page.
///
/// A figure that names its photographs is drawn twice from one copy: the whole with a lightness that suits the page,
/// and above it the photographs as they are.
pub(super) fn picture(id: &str, png: &[u8], alt: &str, caption: &str) -> String {
    let (uri, caption) = (data_uri(png), escaped(caption));
    let (name, alt) = (alt, escaped(alt));
    let mut few = "";
    let image = match photographs(png) {
        Some(([width, height], places)) if !places.is_empty() => {
            few = if columns(&places) <= SIDE_BY_SIDE { " few" } else { "" };
            let rect = |Place { x, y, width, height }: Place| {
                format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>")
            };
            let rects: String = places.into_iter().map(rect).collect();
            format!(
                "<svg class=\"sheet\" style=\"--w:{width}px\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
                 aria-label=\"{alt}\"><defs><image id=\"{id}\" width=\"{width}\" height=\"{height}\" href=\"{uri}\"/>\
                 <clipPath id=\"{id}p\">{rects}</clipPath></defs><use href=\"#{id}\" class=\"paper\"/>\
                 <use href=\"#{id}\" clip-path=\"url(#{id}p)\"/></svg>"
            )
        }
        _ => format!("<img src=\"{uri}\" alt=\"{alt}\">"),
    };
    let image = enlarging(&format!("{id}z"), "scroll", name, &image);
    format!("<figure class=\"picture{few}\">{image}<figcaption>{caption}</figcaption></figure>\n")
}

/// Pictures that open over the page at a click, Enter or the space bar. The same, Escape or a click beside them closes them:
/// a popover of the browser needs no script. `id` is unique on the page; `name` describes the pictures.
pub(super) fn enlarging(id: &str, class: &str, name: &str, pictures: &str) -> String {
    format!(
        "<div id=\"{id}\" class=\"zoom {class}\" popover><button type=\"button\" popovertarget=\"{id}\" aria-label=\"{}\" \
         aria-description=\"opens at full size; Escape closes it\">{pictures}</button></div>",
        escaped(name)
    )
}

/// Text in which names of settings stand in backticks.
pub(super) fn with_code(text: impl Display) -> String {
    let text = escaped(text);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text;
    }
    let code =
        |(index, part): (usize, &&str)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_string() };
    parts.iter().enumerate().map(code).collect()
}

/// Appends text. Writing to memory does not fail.
pub(super) fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = html.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_backticks_are_code() {
        assert_eq!(with_code("`a<b` lowers `c`"), "<code>a&lt;b</code> lowers <code>c</code>");
        assert_eq!(with_code("one ` alone"), "one ` alone");
        assert_eq!(with_code("none"), "none");
    }

    #[test]
    fn legends_are_no_columns() {
        let place = |x, y, width| Place { x, y, width, height: width };
        let photographs = [0, 200, 400].map(|x| [place(x, 0, 180), place(x, 200, 100)]);
        let legend = [0, 60, 120, 180, 240].map(|x| place(x, 400, 20));
        let all: Vec<Place> = photographs.into_iter().flatten().chain(legend).collect();
        assert_eq!(columns(&all), 3);
        assert_eq!(columns(&[]), 0);
    }
}
