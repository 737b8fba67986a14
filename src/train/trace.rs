//! A trace of the first steps of a run, for chrome://tracing or Perfetto: what the processor does, and what each kernel of
//! one step takes. Format: "Trace Event Format" (Chromium project), complete events, times in microseconds.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::exec::{PlanId, Ticket};
use crate::interop::files::{FileError, write_atomic};
use crate::plan::Plan;
use crate::run::run_dir::RunDirError;
use crate::train::TrainError;
use crate::train::task::Task;
use crate::train::trainer::Trainer;

/// Steps that are traced; a few megabytes at most.
const STEPS: usize = 50;
/// The step, from 1, whose kernels are timed one by one: caches are warm by then.
const PROFILED: usize = 5;

/// Outputs of a step.
pub(crate) enum Results {
    /// To be waited for.
    Awaited(Ticket),
    /// Of a step whose kernels were timed.
    There(Vec<Vec<f32>>),
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
        Trace { start: Instant::now(), step: 1, events: vec![name(1, "processor"), name(2, "kernels")] }
    }

    /// The step that begins, from 1.
    pub(crate) fn step(&self) -> usize {
        self.step
    }

    /// Counts a step that has ended; true when it was the last that is traced.
    pub(crate) fn step_done(&mut self) -> bool {
        self.step += 1;
        self.step > STEPS
    }

    fn micros(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.start).as_secs_f64() * 1e6
    }

    /// What the processor did from `begin` until now.
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

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), FileError> {
        let text = json!({"traceEvents": self.events, "displayTimeUnit": "ms"}).to_string();
        write_atomic(path, |file| file.write_all(text.as_bytes()))
    }
}

impl<T: Task> Trainer<T> {
    /// Runs a step that has its data; where it is to be traced kernel by kernel, to its end.
    pub(crate) fn run_step(&mut self, plan: PlanId) -> Result<Results, TrainError> {
        let (started, session) = (Instant::now(), &mut self.model.session);
        if let Some(trace) = self.trace.as_mut().filter(|trace| trace.step() == PROFILED)
            && let Some(seconds) = session.profile(plan)?
        {
            trace.kernels(session.plan(plan), &seconds, started);
            self.trace_span("run kernel by kernel", started);
            return Ok(Results::There(self.model.session.outputs(plan)?));
        }
        let ticket = session.run(plan)?;
        self.trace_span("submit", started);
        Ok(Results::Awaited(ticket))
    }

    /// Records what took from `begin` until now.
    pub(crate) fn trace_span(&mut self, name: &str, begin: Instant) {
        if let Some(trace) = &mut self.trace {
            trace.span(name, begin);
        }
    }

    /// Writes the trace, which then is over.
    pub(crate) fn write_trace(&mut self) -> Result<(), TrainError> {
        let Some(trace) = self.trace.take() else { return Ok(()) };
        let path = self.run.path().join("trace.json");
        Ok(trace.write(&path).map_err(RunDirError::from)?)
    }
}
