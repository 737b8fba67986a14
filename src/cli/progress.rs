//! Progress of a run: a bar in a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{LOST_RESULTS, require_output, shown};
use crate::run::history::EpochRow;
use crate::run::score::TRAIN_ACCURACY;
use crate::train::{Fetching, Observer, StepProgress};

/// Minimum time between two lines within an epoch, without a terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Time between two updates of the display while waiting.
const TICK: Duration = Duration::from_millis(500);

/// Whether a run still reads its images or prepares its plans. Nothing is trained then, so Ctrl-C ends the process at once.
pub(super) static OPENING: AtomicBool = AtomicBool::new(true);

/// Whether only results and errors are printed.
pub(super) static QUIET: AtomicBool = AtomicBool::new(false);

/// Whether every setting is printed before the first step, and a line for each step.
pub(super) static VERBOSE: AtomicBool = AtomicBool::new(false);

/// Prints progress.
pub(super) struct ProgressDisplay {
    terminal: bool,
    bar: Mutex<Option<ProgressBar>>,
    reading: Mutex<Option<ProgressBar>>,
    waiting: Mutex<Option<ProgressBar>>,
    fetching: Mutex<Option<ProgressBar>>,
    last_line: Mutex<Instant>,
}

impl ProgressDisplay {
    /// Bars go to the standard error, lines to the standard output.
    pub(super) fn new() -> Self {
        ProgressDisplay {
            terminal: std::io::stderr().is_terminal() && !QUIET.load(Ordering::Relaxed),
            bar: Mutex::new(None),
            reading: Mutex::new(None),
            waiting: Mutex::new(None),
            fetching: Mutex::new(None),
            last_line: Mutex::new(Instant::now()),
        }
    }

    /// Removes the bars.
    pub(super) fn end(&self) {
        self.stop_waiting();
        for bar in [&self.bar, &self.fetching] {
            if let Some(bar) = lock(bar).take() {
                bar.finish_and_clear();
            }
        }
    }

    /// Bytes of a download, in a bar or in lines.
    fn fetched(&self, done: u64, total: u64) {
        if self.terminal {
            let mut bar = lock(&self.fetching);
            let template = "fetching {bar:24} {bytes}/{total_bytes}  {binary_bytes_per_sec}  {eta} left";
            bar.get_or_insert_with(|| Self::bar(total as usize, template)).set_position(done);
        } else if lock(&self.last_line).elapsed() > PLAIN_EVERY {
            *lock(&self.last_line) = Instant::now();
            say(format_args!("fetched {} of {}", BinaryBytes(done), BinaryBytes(total)));
        }
    }

    /// Whether a step gets a line if there is no terminal.
    fn line_is_due(&self) -> bool {
        VERBOSE.load(Ordering::Relaxed) || lock(&self.last_line).elapsed() > PLAIN_EVERY
    }

    fn stop_waiting(&self) {
        if let Some(bar) = lock(&self.waiting).take() {
            bar.finish_and_clear();
        }
    }

    fn bar(len: usize, template: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(len as u64), ProgressDrawTarget::stderr());
        // Templates are constants of this file. A wrong one falls back to the default style.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }
}

/// Removes the bars, so that an error does not share a line with one.
impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.end();
    }
}

/// Locks, also after a panic of another thread.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints a line at once, unless only results are wanted. A failure to print does not stop the run; the exit code shows
/// it.
fn say(line: std::fmt::Arguments<'_>) {
    if QUIET.load(Ordering::Relaxed) {
        return;
    }
    let mut out = std::io::stdout().lock();
    if require_output().and_then(|()| writeln!(out, "{line}")).and_then(|()| out.flush()).is_err() {
        LOST_RESULTS.store(true, Ordering::Relaxed);
    }
}

/// Minutes and seconds; from one hour on also hours.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

impl Observer for ProgressDisplay {
    fn reading(&self, done: usize, total: usize) {
        OPENING.store(done < total, Ordering::Relaxed);
        if !self.terminal {
            return;
        }
        let mut bar = lock(&self.reading);
        let bar = bar.get_or_insert_with(|| Self::bar(total, "reading images {bar:30} {pos}/{len}"));
        bar.set_position(done as u64);
        if done == total {
            bar.finish_and_clear();
        }
    }

    fn fetching(&self, progress: &Fetching<'_>) {
        match progress {
            Fetching::Waits { path } => {
                say(format_args!("waiting: another process fetches {}", path.display()));
            }
            Fetching::Begins { address, done, total, .. } => {
                let continued = if *done > 0 { format!(", from byte {done} on") } else { String::new() };
                say(format_args!("fetch:   {address}, {}{continued}", BinaryBytes(*total)));
            }
            Fetching::Advances { done, total } => self.fetched(*done, *total),
            Fetching::Retries { refusal, .. } => {
                self.end();
                say(format_args!("retry:   {refusal}"));
            }
            Fetching::Ends { path } => {
                self.end();
                say(format_args!("fetched: {}, checked", path.display()));
            }
        }
    }

    fn begins(&self, lines: &[String]) {
        OPENING.store(false, Ordering::Relaxed);
        for line in lines {
            say(format_args!("{}", shown(line)));
        }
    }

    fn first_step(&self) {
        if self.terminal {
            let bar = Self::bar(0, "preparing the first step ({elapsed})");
            bar.enable_steady_tick(TICK);
            *lock(&self.waiting) = Some(bar);
        }
    }

    fn step(&self, progress: &StepProgress) {
        self.stop_waiting();
        let StepProgress { epoch, step, steps, loss, accuracy, images_per_s } = *progress;
        let accuracy = accuracy.map_or(String::new(), |a| format!("accuracy {:.1} %  ", 100.0 * a));
        let message = loss.map(|loss| format!("loss {loss:.4}  {accuracy}{images_per_s:.1} images/s"));
        if self.terminal {
            let mut bar = lock(&self.bar);
            let bar = bar.get_or_insert_with(|| Self::bar(steps, "{prefix} {bar:24} {pos}/{len}  {msg}  {eta} left"));
            bar.set_prefix(format!("epoch {epoch}"));
            bar.set_message(message.unwrap_or_default());
            bar.set_position(step as u64);
        } else if let Some(message) = message.filter(|_| self.line_is_due()) {
            *lock(&self.last_line) = Instant::now();
            say(format_args!("epoch {epoch} step {step}/{steps}  {message}"));
        }
    }

    fn epoch(&self, row: &EpochRow, epochs: usize) {
        self.end();
        *lock(&self.last_line) = Instant::now();
        let left = row.seconds / f64::from(row.epoch) * (epochs as f64 - f64::from(row.epoch));
        let train = row.score(&TRAIN_ACCURACY).map_or(String::new(), |a| format!(" accuracy {:5.1} %", 100.0 * a));
        let scores = row.scores.iter().filter(|(s, _)| !s.of_training());
        let scores: Vec<_> = scores.map(|(s, v)| format!("{} {}", s.name, s.format(*v))).collect();
        // Reported when the device waits for the loader.
        let waited = match row.data_wait {
            share if share >= 0.05 => format!("  {:.0} % waiting for data", 100.0 * share),
            _ => String::new(),
        };
        say(format_args!(
            "epoch {:>2}/{epochs}  train loss {}{train}  validation loss {} {}  {:.1} images/s{waited}  {} left",
            row.epoch,
            loss_text(row.train_loss),
            loss_text(row.val_loss),
            scores.join(" "),
            row.images_per_s,
            clock(left),
        ));
    }
}

/// A loss with four decimals; from 1e5 on with an exponent.
fn loss_text(loss: f64) -> String {
    if loss.abs() < 1e5 { format!("{loss:.4}") } else { format!("{loss:.3e}") }
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn a_clock_has_hours_where_there_are_any() {
        assert_eq!([0.9, 61.0, 3599.9].map(clock), ["0:00", "1:01", "59:59"]);
        assert_eq!([3600.0, 30.0 * 3600.0 + 62.0].map(clock), ["1:00:00", "30:01:02"]);
    }
}
