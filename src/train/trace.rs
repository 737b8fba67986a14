//! A trace of the first steps of a run, for chrome://tracing or Perfetto: spans of the processor, and the time of each kernel of
//! one step. Format: "Trace Event Format" (Chromium project), complete events, times in microseconds.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use super::TrainError;
use super::reduction::Exchange;
use crate::exec::{AnyEngine, Final, Parts, PlanId, Session, Ticket};
use crate::interop::files::{FileError, write_atomic};
use crate::plan::Plan;
use crate::run::RunDir;

/// Number of traced steps. Their trace takes a few megabytes at most.
const STEPS: usize = 50;
/// The step, from 1, whose kernels are timed one by one: caches are warm by then.
const PROFILED: usize = 5;

/// Outputs of a step.
pub(super) enum Pending {
    /// Outputs that are not read yet.
    Awaited(Ticket),
    /// Outputs of a step whose kernels were timed.
    Finished(Vec<Vec<f32>>),
}

impl Pending {
    /// Waits for the outputs of a run of `plan`.
    pub(super) fn take(self, session: &mut Session<AnyEngine>, plan: PlanId) -> Result<Vec<Vec<f32>>, TrainError> {
        match self {
            Pending::Awaited(ticket) => Ok(session.take(plan, ticket)?),
            Pending::Finished(values) => Ok(values),
        }
    }

    /// Passes the outputs of a run of `plan` to `each` as soon as they are final. The run was started with these parts.
    pub(super) fn take_parts(
        self,
        session: &mut Session<AnyEngine>,
        plan: PlanId,
        (output, parts): Parts<'_>,
        each: &mut dyn FnMut(Final<f32>),
    ) -> Result<(), TrainError> {
        let values = match self {
            Pending::Awaited(ticket) => return Ok(session.take_parts(plan, ticket, (output, parts), each)?),
            Pending::Finished(values) => values,
        };
        let names = session.plan(plan).outputs.iter().map(|port| port.name.clone());
        let (whole, others): (Vec<_>, Vec<_>) = names.zip(values).partition(|(name, _)| name == output);
        each(Final::Outputs(others));
        for (_, whole) in whole {
            for (number, part) in parts.iter().enumerate().rev() {
                each(Final::Part(number, whole[part.clone()].to_vec()));
            }
        }
        Ok(())
    }
}

/// Spans of time so far.
pub(crate) struct Trace {
    start: Instant,
    step: usize,
    events: Vec<Value>,
}

impl Trace {
    /// A trace that begins now.
    pub(crate) fn new() -> Self {
        let name = |tid: u32, name: &str| json!({"ph": "M", "name": "thread_name", "pid": 1, "tid": tid, "args": {"name": name}});
        let events = vec![name(1, "processor"), name(2, "kernels"), name(3, "messages")];
        Trace { start: Instant::now(), step: 1, events }
    }

    /// Counts a finished step. Returns true after the last traced step.
    pub(crate) fn step_done(&mut self) -> bool {
        self.step += 1;
        self.step > STEPS
    }

    fn micros(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.start).as_secs_f64() * 1e6
    }

    /// A span of the processor from `begin` until now.
    pub(crate) fn span(&mut self, name: &str, begin: Instant) {
        let (ts, dur, step) = (self.micros(begin), begin.elapsed().as_secs_f64() * 1e6, self.step);
        self.events.push(json!({
            "ph": "X", "name": name, "cat": "processor", "pid": 1, "tid": 1, "ts": ts, "dur": dur, "args": {"step": step},
        }));
    }

    /// The kernels of a step that began at `begin`, one after another.
    pub(crate) fn kernels(&mut self, plan: &Plan, seconds: &[f64], begin: Instant) {
        let mut ts = self.micros(begin);
        for (call, seconds) in plan.calls.iter().zip(seconds) {
            let dur = seconds * 1e6;
            self.events.push(json!({
                "ph": "X", "name": call.call.kernel, "cat": "kernel", "pid": 1, "tid": 2, "ts": ts, "dur": dur,
                "args": {"shapes": call.shapes, "gflops": call.call.flops as f64 / seconds.max(1e-9) / 1e9},
            }));
            ts += dur;
        }
    }

    /// Adds the exchanges of messages of a step, and the share of their bytes that traveled before this rank had computed its shards,
    /// at `computed`. The share is of bytes, because an exchange may also wait for other ranks.
    fn exchanges(&mut self, exchanges: &[Exchange], computed: Instant) {
        let [Some(first), Some(last)] = [exchanges.first(), exchanges.last()] else { return };
        let seconds = |begin: Instant, end: Instant| end.saturating_duration_since(begin).as_secs_f64();
        let bytes = |one: &Exchange| one.bytes as f64;
        let before = |one: &Exchange| {
            seconds(one.begin, one.end.min(computed)) / seconds(one.begin, one.end).max(f64::MIN_POSITIVE)
        };
        let all: f64 = exchanges.iter().map(bytes).sum();
        let hidden: f64 = exchanges.iter().map(|one| bytes(one) * before(one)).sum();
        let args = json!({
            "step": self.step, "bytes sent": all, "bytes sent while computing": hidden, "hidden share": hidden / all.max(1.0),
        });
        self.message("messages of a batch", (first.begin, last.end), args);
        for one in exchanges {
            self.message("exchange", (one.begin, one.end), json!({"step": self.step, "bytes sent": one.bytes}));
        }
    }

    fn message(&mut self, name: &str, (begin, end): (Instant, Instant), args: Value) {
        let (ts, end) = (self.micros(begin), self.micros(end));
        self.events.push(json!({
            "ph": "X", "name": name, "cat": "messages", "pid": 1, "tid": 3, "ts": ts, "dur": end - ts, "args": args,
        }));
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), FileError> {
        let text = json!({"traceEvents": self.events, "displayTimeUnit": "ms"}).to_string();
        write_atomic(path, |file| file.write_all(text.as_bytes()))
    }
}

/// The trace of a run, until it is written.
#[derive(Default)]
pub(super) struct Tracer(Option<Trace>);

impl Tracer {
    /// A tracer, which traces if `on`.
    pub(super) fn new(on: bool) -> Self {
        Tracer(on.then(Trace::new))
    }

    /// Runs a step whose inputs are written. `parts` names an output that is taken in parts. The profiled step runs to its end, kernel
    /// by kernel.
    pub(super) fn run_step(
        &mut self,
        session: &mut Session<AnyEngine>,
        plan: PlanId,
        parts: Option<Parts<'_>>,
    ) -> Result<Pending, TrainError> {
        let started = Instant::now();
        if let Some(trace) = self.0.as_mut().filter(|trace| trace.step == PROFILED)
            && let Some(seconds) = session.profile(plan)?
        {
            trace.kernels(session.plan(plan), &seconds, started);
            trace.span("run kernel by kernel", started);
            return Ok(Pending::Finished(session.outputs(plan)?));
        }
        let ticket = match parts {
            Some(parts) => session.run_parts(plan, parts)?,
            None => session.run(plan)?,
        };
        self.span("submit", started);
        Ok(Pending::Awaited(ticket))
    }

    /// Records a span from `begin` until now.
    pub(super) fn span(&mut self, name: &str, begin: Instant) {
        if let Some(trace) = &mut self.0 {
            trace.span(name, begin);
        }
    }

    /// Records the exchanges of a step, whose shards this rank had computed at `computed`.
    pub(super) fn exchanges(&mut self, exchanges: &[Exchange], computed: Instant) {
        if let Some(trace) = &mut self.0 {
            trace.exchanges(exchanges, computed);
        }
    }

    /// Counts a finished step. Writes the trace after the last traced step.
    pub(super) fn step_done(&mut self, run: &RunDir) -> Result<(), TrainError> {
        if self.0.as_mut().is_some_and(Trace::step_done) { self.write(run) } else { Ok(()) }
    }

    /// Writes the trace and ends it.
    pub(super) fn write(&mut self, run: &RunDir) -> Result<(), TrainError> {
        let Some(trace) = self.0.take() else { return Ok(()) };
        Ok(trace.write(&run.path().join("trace.json"))?)
    }
}
