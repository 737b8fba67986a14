//! Runs on one HTML page that is complete in itself: no network, no scripts, no other files.

mod chart;
mod commands;
mod confusion;
mod group;
mod html;
mod layers;
#[cfg(feature = "cli")]
mod live;
mod page;
mod record;
mod run;
mod trust;
mod verdict;

use std::path::{Path, PathBuf};

use thiserror::Error;

use self::chart::charts;
#[cfg(feature = "cli")]
pub(crate) use self::commands::{Place, commands, resumption};
use self::html::escaped;
#[cfg(feature = "cli")]
pub(crate) use self::live::Watched;
use self::page::Page;
use self::record::{Record, TableRows, read_picture, sweep_table};
use crate::interop::files::{FileError, write_new};
use crate::run::RunError;
use crate::run::names::names;
use crate::run::sweep_facts::{SWEEP_FACTS, SweepFacts};
use crate::run::task_card::TaskCard;

/// Errors of reports.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The operating system refused an access.
    #[error(transparent)]
    File(#[from] FileError),
    /// A run cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The file of the report exists.
    #[error(
        "{} exists already; a report never overwrites a file: choose another name, or move it away", path.display()
    )]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// A run's `config.toml` that is not TOML.
    #[error("{}: {problem}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// Line and column.
        problem: Box<toml::de::Error>,
    },
    /// A sweep's table that is not CSV.
    #[error("{}: {source}; run the sweep again to write its table", path.display())]
    Sweep {
        /// The file.
        path: PathBuf,
        /// Line and column.
        source: csv::Error,
    },
    /// A file that is not a picture.
    #[error("{} is not a PNG picture of at most 64 MiB; move it away, or make it again", path.display())]
    NoPicture {
        /// The file.
        path: PathBuf,
    },
}

/// A report under construction, with sections in the order in which they are added.
pub struct Report {
    title: String,
    /// Known tasks, for runs that do not describe theirs.
    known: Vec<TaskCard>,
    page: Page,
    /// Damaged files of its runs.
    damage: Vec<String>,
}

/// Number of runs of a sweep whose curves are drawn.
const DRAWN: usize = 8;

impl Report {
    /// A page with a title. Runs of earlier versions do not describe their task, which is then looked up in `known`.
    pub fn new(title: impl Into<String>, known: Vec<TaskCard>) -> Self {
        Report { title: title.into(), known, page: Page::default(), damage: vec![] }
    }

    /// Damaged and missing files of the runs so far, one line each.
    pub fn damage(&self) -> &[String] {
        &self.damage
    }

    /// Adds a heading, which the table of contents lists.
    pub fn heading(&mut self, text: &str) {
        self.page.listed_heading(2, text);
    }

    /// Adds a paragraph of plain text.
    pub fn paragraph(&mut self, text: &str) {
        self.page.push(format_args!("<p>{}</p>\n", escaped(text)));
    }

    /// Adds a PNG picture with a caption, which is also its text alternative.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn picture(&mut self, path: &Path, caption: &str) -> Result<(), ReportError> {
        self.page.picture(&read_picture(path)?, caption, caption);
        Ok(())
    }

    /// Adds runs and sweeps, named by their folders. Runs of one task are compared, then each is shown. A sweep is
    /// shown by its table and its best run.
    ///
    /// # Errors
    /// When a folder is neither a run nor a sweep, or a file in it cannot be read.
    pub fn runs(&mut self, folders: &[PathBuf]) -> Result<(), ReportError> {
        let mut runs: Vec<Record> = vec![];
        for (folder, name) in folders.iter().zip(names(folders)) {
            match sweep_table(folder)? {
                Some(sweep) => self.sweep(folder, &name, &sweep)?,
                None => runs.push(Record::read(folder, name, &self.known)?),
            }
        }
        self.damage.extend(runs.iter().flat_map(|run| run.damage.iter().cloned()));
        // First the known tasks in their order, then tasks that only a run describes, then runs without an epoch.
        let mut titles: Vec<(String, String)> = vec![];
        for card in self.known.iter().chain(runs.iter().filter_map(|run| run.card.as_ref())) {
            if !titles.iter().any(|(task, _)| *task == card.task) {
                titles.push((card.task.to_string(), card.title.to_string()));
            }
        }
        for (task, title) in titles {
            let (these, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.task() == Some(&task));
            self.by_data(&title, these);
            runs = others;
        }
        self.group("Runs without an epoch", &runs);
        Ok(())
    }

    /// Adds runs of a task, grouped by validation images: scores on different images do not compare.
    fn by_data(&mut self, title: &str, mut runs: Vec<Record>) {
        let several = runs.iter().any(|run| run.data() != runs[0].data());
        let mut number = 0;
        while let Some(first) = runs.first() {
            let data = first.data().map(str::to_owned);
            let (these, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| run.data() == data.as_deref());
            number += 1;
            let name = these[0].setting("data");
            let name = if name.is_empty() { "built-in scenes" } else { name };
            match several {
                true => self.group(&format!("{title}, data set {number} ({name})"), &these),
                false => self.group(title, &these),
            }
            runs = others;
        }
    }

    fn group(&mut self, title: &str, runs: &[Record]) {
        match runs {
            [] => {}
            [run] => {
                self.page.listed_heading(2, &format!("{title}: {}", run.name));
                run::section(&mut self.page, run, 3);
                run::settings(&mut self.page, run, 3);
            }
            _ => {
                self.page.listed_heading(2, &format!("{title}: {} runs", runs.len()));
                group::comparison(&mut self.page, runs, 3);
                for run in runs {
                    self.page.listed_heading(3, &run.name);
                    // The comparison shows the settings.
                    run::section(&mut self.page, run, 4);
                }
            }
        }
    }

    fn sweep(&mut self, folder: &Path, name: &str, table: &TableRows) -> Result<(), ReportError> {
        self.page.listed_heading(2, &format!("Sweep: {name}"));
        self.page.add(&table.html("Runs of the sweep, the best first"));
        let facts = SweepFacts::read(folder);
        let numbers = folder.join(SWEEP_FACTS);
        let is_damaged = facts.is_none() && numbers.symlink_metadata().is_ok();
        if let Some((score, rows)) = facts.and_then(|facts| facts.score.zip(facts.within_chance)) {
            self.page.push(format_args!("<p>{}</p>\n", escaped(rows.text(&score))));
        }
        let runs = table.rows.iter().flat_map(|row| row.last().into_iter().flat_map(|names| names.split_whitespace()));
        let problem = format!("{} is damaged: it holds no scores of a sweep", numbers.display());
        let (mut records, mut lost) = (vec![], if is_damaged { vec![problem] } else { vec![] });
        for name in runs.take(DRAWN) {
            let path = folder.join(name);
            if path.is_dir() {
                records.push(Record::read(&path, name.to_owned(), &self.known)?);
            } else {
                lost.push(format!("{} is gone: the table of the sweep names it", path.display()));
            }
        }
        for line in &lost {
            self.page.push(format_args!("<p class=\"note\">{}</p>\n", escaped(line)));
        }
        self.damage.extend(lost.into_iter().chain(records.iter().flat_map(|run| run.damage.iter().cloned())));
        match records.iter().filter(|run| !run.rows.is_empty()).count() {
            0 => {}
            1 => self.page.heading(3, "Curves"),
            count => self.page.heading(3, &format!("Curves of the best {count} runs")),
        }
        self.page.add(&charts(&group::curves(&records)));
        if let Some(best) = records.first() {
            self.page.listed_heading(3, &format!("The best run: {}", best.name));
            run::section(&mut self.page, best, 4);
            run::settings(&mut self.page, best, 4);
        }
        Ok(())
    }

    /// The page as text.
    pub fn html(self) -> String {
        self.page.finish(&self.title)
    }

    /// Writes the page into a new file.
    ///
    /// # Errors
    /// When the file exists, or cannot be written.
    pub fn write(self, path: &Path) -> Result<(), ReportError> {
        check_free(path)?;
        let html = self.html();
        write_new(path, |w| w.write_all(html.as_bytes())).map_err(|error| match error.source.kind() {
            std::io::ErrorKind::AlreadyExists => ReportError::Taken { path: path.to_owned() },
            _ => error.into(),
        })
    }
}

/// Refuses the name of an existing file.
///
/// # Errors
/// [`ReportError::Taken`].
pub fn check_free(path: &Path) -> Result<(), ReportError> {
    if path.symlink_metadata().is_ok() { Err(ReportError::Taken { path: path.to_owned() }) } else { Ok(()) }
}

/// Default file of the report of these runs: `report.html` in the folder of a single run, else in the folder that
/// contains the first of them.
pub fn default_path(folders: &[PathBuf]) -> PathBuf {
    let folder = match folders {
        [one] => one.clone(),
        [first, ..] if first.file_name().is_some() => first.parent().map(Path::to_owned).unwrap_or_default(),
        // `.` and `..` have no file name, and their `parent` is not the folder above.
        [first, ..] => first.join(".."),
        [] => PathBuf::new(),
    };
    folder.join("report.html")
}

/// Default title of the report of these runs.
pub fn default_title(folders: &[PathBuf]) -> String {
    match &names(folders)[..] {
        [] => "Report".into(),
        few @ ([_] | [_, _] | [_, _, _]) => format!("Report: {}", few.join(", ")),
        many => format!("Report: {} runs", many.len()),
    }
}
