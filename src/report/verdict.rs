//! The verdict on a run: its headline, its findings, and commands to paste.

use super::html::{escaped, with_code};
use super::page::Page;
use super::record::Record;
use crate::run::Verdict;

/// The verdict at the top of a run's section.
pub(super) fn section(page: &mut Page, run: &Record, verdict: &Verdict) {
    page.add("<div class=\"verdict\">\n");
    page.push(format_args!("<p><b>{}</b></p>\n<ul>\n", escaped(&verdict.headline)));
    for finding in &verdict.findings {
        page.push(format_args!("<li>{}</li>\n", with_code(&finding.text)));
    }
    page.add("</ul>\n<p>Next:</p>\n");
    for command in &run.commands {
        page.push(format_args!("<pre>{}</pre>\n", escaped(command)));
    }
    page.add("</div>\n");
}

/// The top of the section of a run without a verdict: its finished epochs, and the command that continues it.
pub(super) fn unfinished(page: &mut Page, run: &Record) {
    let (done, all) = (run.rows.len(), run.setting("epochs"));
    page.push(format_args!("<div class=\"verdict\">\n<p><b>not finished: {done} of {all} epochs</b></p>\n"));
    if let Some(command) = run.commands.first() {
        page.push(format_args!("<p>Once it has stopped, this continues it:</p>\n<pre>{}</pre>\n", escaped(command)));
    }
    page.add("</div>\n");
}
