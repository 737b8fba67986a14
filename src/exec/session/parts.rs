//! Runs that hand out parts of one output while later calls run.

use std::ops::Range;

use super::{PlanId, Session, port_error};
use crate::exec::{Engine, ExecError, Ticket};
use crate::plan::{Port, Slice};
use crate::shape::Layout;

/// An output in parts: its name, and ranges of its values.
pub type Parts<'a> = (&'a str, &'a [Range<usize>]);

/// A final result of a run.
pub enum Final<T> {
    /// All outputs but the one in parts, with their names. They are handed out first.
    Outputs(Vec<(String, Vec<T>)>),
    /// A part of the output, with its number.
    Part(usize, Vec<T>),
}

impl<E: Engine + ?Sized> Session<E> {
    /// Starts a plan. The next call is [`Session::take_parts`] with the same parts; only [`Session::take`] may come between.
    ///
    /// # Errors
    /// As [`Session::run`], and when the output is not flat or a part lies outside it.
    pub fn run_parts(&mut self, plan: PlanId, parts: Parts<'_>) -> Result<Ticket, ExecError> {
        let index = self.index(plan)?;
        self.expect_written(index)?;
        let slices = slices(&self.plans[index].outputs, parts)?;
        self.engine.run_each(index, &slices)
    }

    /// Hands out the results of [`Session::run_parts`], each as soon as it is final.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn take_parts(
        &mut self,
        plan: PlanId,
        ticket: Ticket,
        (output, parts): Parts<'_>,
        each: &mut dyn FnMut(Final<E::Scalar>),
    ) -> Result<(), ExecError> {
        let others: Vec<&Port> =
            self.plans[self.index(plan)?].outputs.iter().filter(|port| port.name != output).collect();
        let mut found: Vec<Option<(String, Vec<E::Scalar>)>> = others.iter().map(|_| None).collect();
        // Parts that wait for the other outputs; `None` once those are handed out.
        let mut early = Some(vec![]);
        self.engine.take_each(ticket, &mut |number, values| {
            match (number.checked_sub(others.len()), &mut early) {
                (None, _) => found[number] = Some((others[number].name.clone(), others[number].ty.unpacked(values))),
                (Some(part), Some(early)) => early.push((part, values)),
                (Some(part), None) => return each(Final::Part(part, values)),
            }
            if found.iter().all(Option::is_some)
                && let Some(early) = early.take()
            {
                each(Final::Outputs(found.iter_mut().filter_map(Option::take).collect()));
                early.into_iter().for_each(|(part, values)| each(Final::Part(part, values)));
            }
        })?;
        debug_assert!(early.is_none() || parts.is_empty(), "every result was handed out");
        Ok(())
    }
}

/// All outputs but the one in parts, and then its parts.
fn slices(outputs: &[Port], (output, parts): Parts<'_>) -> Result<Vec<Slice>, ExecError> {
    let port = outputs.iter().find(|port| port.name == output && port.ty.layout == Layout::Flat);
    let port = port.ok_or_else(|| port_error(output, "there is no such flat output"))?;
    let others = outputs.iter().filter(|port| port.name != output).map(|port| Ok(port.slice));
    let part = |part: &Range<usize>| match part.start <= part.end && part.end <= port.ty.shape.elements() {
        true => Ok(Slice { offset: port.slice.offset + part.start, len: part.len(), ..port.slice }),
        false => Err(port_error(output, &format!("{part:?} lies outside its {} values", port.ty.shape.elements()))),
    };
    others.chain(parts.iter().map(part)).collect()
}
