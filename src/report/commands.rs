//! Commands of the next steps after a run, to paste.

use std::path::{Path, PathBuf};

use crate::interop::files::read_text;
use crate::run::names::free_beside;
use crate::run::{FindingKind, Next, RunDir, Verdict, mistakes};
use crate::text::word;
use crate::train::settings::reasons;

/// Maximum number of commands.
const MOST: usize = 3;

/// A run for which commands are written.
pub(crate) struct Place<'a> {
    /// Name of its task.
    pub task: &'a str,
    /// Its folder.
    pub run: &'a Path,
    /// Its data set.
    pub data: &'a str,
    /// Path of a validation image, if the images are files.
    pub example: Option<&'a str>,
    /// Whether its settings name the folder. A repeat then needs another folder.
    pub named: bool,
}

/// Commands to paste after a verdict. The first applies the model, unless the model is useless.
pub(crate) fn commands(verdict: &Verdict, place: &Place<'_>) -> Vec<String> {
    let useless = [FindingKind::NoBetterThanBaseline, FindingKind::Diverged];
    let useless = verdict.findings.iter().any(|finding| useless.contains(&finding.kind));
    let steps = verdict.next.iter().filter(|step| **step != Next::Predict);
    let steps = (!useless).then_some(&Next::Predict).into_iter().chain(steps).take(MOST);
    // Each command has a different folder, so that all can be pasted.
    let folder = beside(place.run);
    let mut free = free_beside(&folder);
    steps.map(|next| command(next, place, &mut free)).collect()
}

/// The command that continues a run without a verdict.
pub(crate) fn resumption(task: &str, run: &Path) -> String {
    format!("shadegrad train {task} --resume {}", word(&run.to_string_lossy()))
}

/// The command of a next step. A training goes into the next of the `free` folders.
fn command(
    next: &Next,
    &Place { task, run, data, example, named }: &Place<'_>,
    free: &mut dyn Iterator<Item = PathBuf>,
) -> String {
    let config = run.join("config.toml");
    let (place, finished) = (run, run.join("finished.safetensors").exists());
    let (run, config) = (word(&run.to_string_lossy()), word(&config.to_string_lossy()));
    match next {
        Next::Train(settings) => {
            let flag = |(key, value): &(String, String)| match value.as_str() {
                "true" => format!(" --{}", key.replace('_', "-")),
                value => format!(" --{} {}", key.replace('_', "-"), word(value)),
            };
            // Settings of a file that have no effect are no error.
            let flags = settings.iter().filter(|(_, value)| !value.is_empty()).map(flag);
            // Pretrained weights need other settings than random ones.
            let has_weights = settings.iter().any(|(key, _)| ["pretrained", "init"].contains(&key.as_str()));
            let auto = if has_weights && has_choices(&place.join("config.toml")) { " --auto" } else { "" };
            let out = named.then(|| free.next()).flatten();
            let out = out.map_or(String::new(), |out| format!(" --out {}", word(&out.to_string_lossy())));
            format!("shadegrad train {task} --config {config}{}{auto}{out}", flags.collect::<String>())
        }
        // Runs of a sweep keep no optimizer state.
        Next::Continue { epochs } if finished => format!("shadegrad train {task} --resume {run} --epochs {epochs}"),
        Next::Continue { epochs } => {
            let step = Next::Train(vec![("epochs".into(), epochs.to_string())]);
            command(&step, &Place { task, run: place, data, example, named }, free)
        }
        Next::FindRate => format!("shadegrad lr-find {task} --config {config}"),
        Next::CheckData => format!("shadegrad data check --task {task} {}", word(data)),
        Next::Predict => match picture(place, example) {
            Some(picture) => format!("shadegrad predict {run} {}", word(&picture)),
            None => format!("shadegrad eval {run}"),
        },
    }
}

/// An image for the prediction: a validation image, else one of the run's errors, because built-in and moved data have
/// no file.
fn picture(run: &Path, example: Option<&str>) -> Option<String> {
    let example = example.filter(|example| Path::new(example).is_file()).map(str::to_owned);
    let error = || {
        let folder = RunDir::open_unfinished(run).ok()?;
        let picture = run.join("errors").join(mistakes::read(&folder).ok()?.into_iter().next()?.picture);
        picture.is_file().then(|| picture.to_string_lossy().into_owned())
    };
    example.or_else(error)
}

/// Whether a `config.toml` has settings that data and device decided.
fn has_choices(config: &Path) -> bool {
    read_text(config, 1 << 20).is_ok_and(|text| reasons(&text).next().is_some())
}

/// The path beside which a repeat of a run goes. It is outside the folder of a sweep, because a sweep lists the runs in
/// its folder.
fn beside(run: &Path) -> PathBuf {
    let sweep = run.parent().filter(|parent| parent.join("sweep.csv").exists());
    sweep
        .and_then(|sweep| Some(sweep.with_file_name(format!("{}-{}", name(sweep)?, name(run)?))))
        .unwrap_or(run.to_owned())
}

fn name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command of a single step.
    fn command(next: &Next, place: &Place<'_>) -> String {
        super::command(next, place, &mut free_beside(&beside(place.run)))
    }

    #[test]
    fn commands_of_one_verdict_go_into_folders_of_their_own() {
        let train = |key: &str| Next::Train(vec![(key.into(), "1".into())]);
        let verdict = Verdict { headline: String::new(), findings: vec![], next: vec![train("clip"), train("ema")] };
        let place = Place { task: "classify", run: Path::new("nowhere/a"), data: "", example: None, named: true };
        let [_, first, second] = &commands(&verdict, &place)[..] else { panic!("three commands") };
        let beside = |name| Path::new("nowhere").join(name).display().to_string();
        assert!(first.ends_with(&format!(" --clip 1 --out {}", beside("a-2"))), "{first}");
        assert!(second.ends_with(&format!(" --ema 1 --out {}", beside("a-3"))), "{second}");
    }

    #[test]
    fn commands_can_be_pasted() {
        let place = Place { task: "classify", run: Path::new("my runs/a"), data: "it's", example: None, named: false };
        let of = |next| command(&next, &place);
        let (run, config) = (word("my runs/a"), word(&place.run.join("config.toml").to_string_lossy()));
        let settings = [("pretrained", "true"), ("weight_decay", "1e-4"), ("augment", "[{ flip = \"horizontal\" }]")];
        let train = Next::Train(settings.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect());
        assert_eq!(
            of(train),
            format!(
                "shadegrad train classify --config {config} --pretrained --weight-decay 1e-4 --augment {}",
                word("[{ flip = \"horizontal\" }]")
            )
        );
        let named = command(&Next::Train(vec![]), &Place { named: true, ..place });
        let out = word(&Path::new("my runs").join("a-2").to_string_lossy());
        assert_eq!(named, format!("shadegrad train classify --config {config} --out {out}"));
        let chosen = tempfile::tempdir().expect("a folder");
        std::fs::write(chosen.path().join("config.toml"), "# Chosen: lr: for ResNets\n").expect("written");
        let start = Next::Train(vec![("pretrained".into(), "true".into())]);
        let of_chosen = |next: Next| command(&next, &Place { run: chosen.path(), ..place });
        assert!(of_chosen(start).ends_with("config.toml --pretrained --auto"));
        assert!(!of_chosen(Next::Train(vec![])).contains("--auto"));
        let epochs = format!("shadegrad train classify --config {config} --epochs 8");
        assert_eq!(of(Next::Continue { epochs: 8 }), epochs, "without the state of a finished run");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("finished.safetensors"), "").expect("written");
        let resumed = command(&Next::Continue { epochs: 8 }, &Place { run: folder.path(), ..place });
        assert_eq!(resumed, format!("shadegrad train classify --resume {} --epochs 8", folder.path().display()));
        let predict = |place: &Place<'_>| command(&Next::Predict, place);
        assert_eq!(predict(&place), format!("shadegrad eval {run}"), "without a picture");
        let image = folder.path().join("it's one.png");
        std::fs::write(&image, "").expect("written");
        let with_image = predict(&Place { example: image.to_str(), ..place });
        assert_eq!(with_image, format!("shadegrad predict {run} {}", word(&image.to_string_lossy())));
        let moved = predict(&Place { example: Some("no/file.png"), ..place });
        assert_eq!(moved, format!("shadegrad eval {run}"));
        assert_eq!(of(Next::CheckData), format!("shadegrad data check --task classify {}", word("it's")));
    }
}
