//! Runs whose results are taken one by one while the device computes the next ones.

use super::readback::Part;
use super::{GpuEngine, loaded};
use crate::exec::engine::last_use;
use crate::exec::{ExecError, Slice, Ticket};

/// A submitted run.
pub(super) struct Each {
    ticket: Ticket,
    /// Results that become final together, with their numbers.
    groups: Vec<(Vec<usize>, Part)>,
}

impl GpuEngine {
    /// Submits a plan in groups of calls. Each group ends with the call after which results are final, and copies them.
    pub(super) fn submit_each(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError> {
        self.gpu.check("running")?;
        let ranges = fetch.iter().map(|&slice| self.range(plan, slice)).collect::<Result<Vec<_>, _>>()?;
        let dispatches = &loaded(&self.plans, plan)?.dispatches;
        let used = || dispatches.iter().map(|dispatch| dispatch.of.bindings.iter().copied());
        let finals: Vec<usize> = fetch.iter().map(|slice| last_use(used(), slice)).collect();
        let mut ends: Vec<usize> = finals.iter().copied().chain([dispatches.len()]).collect();
        ends.sort_unstable();
        ends.dedup();
        let starts = [0].into_iter().chain(ends.iter().copied());
        let parts: Vec<_> = starts.zip(&ends).map(|(start, &end)| self.gpu.parts(&dispatches[start..end])).collect();
        self.readback.begin(&self.gpu, parts.iter().map(Vec::len).sum())?;
        let mut groups = vec![];
        for (group, (parts, &end)) in parts.iter().zip(&ends).enumerate() {
            let numbers: Vec<usize> = (0..fetch.len()).filter(|&number| finals[number] == end).collect();
            let results: Vec<_> = numbers.iter().map(|&number| ranges[number].clone()).collect();
            for (part, calls) in parts.iter().enumerate() {
                let mut encoder = self.gpu.encoded(calls);
                let ends_group = part + 1 == parts.len();
                let copied = ends_group.then(|| self.readback.copy(&self.gpu, &mut encoder, &results)).transpose()?;
                if !ends_group || group + 1 < ends.len() {
                    self.readback.hand_on(&mut encoder);
                }
                let submission = self.gpu.queue.submit([encoder.finish()]);
                groups.extend(copied.map(|copied| (numbers.clone(), (copied, submission))));
            }
        }
        self.unflushed = 0;
        self.gpu.check("running")?;
        let ticket = self.readback.ticket();
        self.each = Some(Each { ticket, groups });
        Ok(ticket)
    }

    /// Waits for the groups of a run in turn.
    pub(super) fn receive_each(
        &mut self,
        ticket: Ticket,
        each: &mut dyn FnMut(usize, Vec<f32>),
    ) -> Result<(), ExecError> {
        let Some(Each { groups, .. }) = self.each.take_if(|run| run.ticket == ticket) else {
            let problem = "was taken before, or a later run replaced it".into();
            return Err(ExecError::Port { what: format!("ticket {}", ticket.0), problem });
        };
        for (numbers, part) in groups {
            self.gpu.check("fetching results")?;
            let results = self.readback.take_part(&self.gpu, part)?;
            numbers.into_iter().zip(results).for_each(|(number, values)| each(number, values));
        }
        Ok(())
    }
}
