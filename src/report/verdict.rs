//! The verdict on a run: its headline, its findings, and commands to paste.

use std::path::Path;

use super::html::escaped;
use super::page::Page;
use super::record::Record;
use crate::run::{Next, Verdict};
use crate::text::word;

/// The command of a next step. `run` is the run's folder, `data` its data set.
pub(crate) fn command(next: &Next, task: &str, run: &Path, data: &str) -> String {
    let config = run.join("config.toml");
    let (run, config) = (word(&run.to_string_lossy()), word(&config.to_string_lossy()));
    match next {
        Next::Train(settings) => {
            let flag = |(key, value): &(String, String)| match value.as_str() {
                "true" => format!(" --{}", key.replace('_', "-")),
                value => format!(" --{} {}", key.replace('_', "-"), word(value)),
            };
            let flags = settings.iter().map(flag);
            format!("shadegrad train {task} --config {config}{}", flags.collect::<String>())
        }
        Next::Continue { epochs } => format!("shadegrad train {task} --resume {run} --epochs {epochs}"),
        Next::FindRate => format!("shadegrad lr-find {task} --config {config}"),
        Next::CheckData => format!("shadegrad data check --task {task} {}", word(data)),
        Next::Predict => format!("shadegrad predict {run} IMAGES…"),
    }
}

/// The verdict at the top of a run's section.
pub(super) fn section(page: &mut Page, run: &Record, verdict: &Verdict) {
    page.add("<div class=\"verdict\">\n");
    page.push(format_args!("<p><b>{}</b></p>\n<ul>\n", escaped(&verdict.headline)));
    for finding in &verdict.findings {
        page.push(format_args!("<li>{}</li>\n", escaped(&finding.text)));
    }
    page.add("</ul>\n<p>Next:</p>\n<pre>");
    for command in &run.commands {
        page.push(format_args!("{}\n", escaped(command)));
    }
    page.add("</pre>\n</div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        let run = Path::new("my runs/a");
        let of = |next| command(&next, "classify", run, "it's");
        let settings = [("pretrained", "true"), ("weight_decay", "1e-4"), ("augment", "[{ flip = \"horizontal\" }]")];
        let train = Next::Train(settings.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect());
        assert_eq!(
            of(train),
            "shadegrad train classify --config 'my runs/a/config.toml' --pretrained --weight-decay 1e-4 --augment '[{ flip = \"horizontal\" }]'"
        );
        assert_eq!(of(Next::Continue { epochs: 8 }), "shadegrad train classify --resume 'my runs/a' --epochs 8");
        assert_eq!(of(Next::CheckData), r"shadegrad data check --task classify 'it'\''s'");
    }
}
