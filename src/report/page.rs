//! A page under construction: its body, and the headings of its table of contents.

use std::fmt::Arguments;

use super::html::{escaped, picture, push};

/// Style sheet of the page.
const STYLE: &str = include_str!("style.css");

/// A page under construction.
#[derive(Default)]
pub(super) struct Page {
    body: String,
    /// Level, id and text of the headings of the table of contents.
    listed: Vec<(usize, String, String)>,
    ids: usize,
    /// Id and text of the headings within runs.
    sections: Vec<(String, String)>,
    /// Place in the body for links to the sections of a single run.
    mark: Option<usize>,
}

impl Page {
    /// Appends HTML.
    pub fn add(&mut self, html: &str) {
        self.body.push_str(html);
    }

    /// Appends HTML. Text from outside must be escaped.
    pub fn push(&mut self, html: Arguments<'_>) {
        push(&mut self.body, html);
    }

    /// An id that is unique on the page.
    pub fn id(&mut self) -> String {
        self.ids += 1;
        format!("s{}", self.ids)
    }

    /// A picture with a caption.
    pub fn picture(&mut self, png: &[u8], alt: &str, caption: &str) {
        let id = self.id();
        self.add(&picture(&id, png, alt, caption));
    }

    /// A heading of level 2 to 6.
    pub fn heading(&mut self, level: usize, text: &str) {
        self.push(format_args!("<h{level}>{}</h{level}>\n", escaped(text)));
    }

    /// A heading within a run.
    pub fn section(&mut self, level: usize, text: &str) {
        let id = self.id();
        self.push(format_args!("<h{level} id=\"{id}\">{}</h{level}>\n", escaped(text)));
        self.sections.push((id, text.to_owned()));
    }

    /// Marks the end of the headline of a run, below which a page of one run links to its sections.
    pub fn mark(&mut self) {
        self.mark.get_or_insert(self.body.len());
    }

    /// A heading that the table of contents lists.
    pub fn listed_heading(&mut self, level: usize, text: &str) {
        let id = self.id();
        self.push(format_args!("<h{level} id=\"{id}\">{}</h{level}>\n", escaped(text)));
        self.listed.push((level, id, text.to_owned()));
    }

    /// The whole page.
    pub fn finish(self, title: &str) -> String {
        self.assembled(title, "", "")
    }

    /// The whole page, with HTML before its contents and after them.
    pub fn assembled(mut self, title: &str, before: &str, after: &str) -> String {
        let title = escaped(title);
        if let Some(mark) = self.mark.filter(|_| self.listed.len() == 1 && self.sections.len() > 2) {
            let links =
                self.sections.iter().map(|(id, text)| format!("<li><a href=\"#{id}\">{}</a></li>\n", escaped(text)));
            let links: String = links.collect();
            self.body.insert_str(
                mark,
                &format!("<nav class=\"sections\" aria-label=\"Sections\"><ul>\n{links}</ul></nav>\n"),
            );
        }
        let mut contents = String::new();
        if self.listed.len() > 2 {
            contents.push_str("<nav aria-label=\"Contents\"><ul>\n");
            for (level, id, text) in &self.listed {
                push(
                    &mut contents,
                    format_args!("<li class=\"t{level}\"><a href=\"#{id}\">{}</a></li>\n", escaped(text)),
                );
            }
            contents.push_str("</ul></nav>\n");
        }
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"generator\" content=\"shadegrad {}\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<header><h1>{title}</h1></header>\n{before}{contents}<main>\n{}</main>\n{after}</body>\n</html>\n",
            env!("CARGO_PKG_VERSION"),
            self.body
        )
    }
}
