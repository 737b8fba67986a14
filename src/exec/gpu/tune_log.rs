//! The tuner's log, for people who write shaders: one line of JSON per candidate, in the file that `SHADEGRAD_TUNE_LOG`
//! names.

use std::fs::{File, OpenOptions};
use std::io::Write;

use crate::exec::shader::Tile;
use crate::kernel::KernelCall;
use crate::plan::Slice;

/// The log file, if there is one.
pub(super) struct TuneLog(Option<File>);

impl TuneLog {
    /// Opens the file for appending.
    pub fn open() -> TuneLog {
        let path = std::env::var_os("SHADEGRAD_TUNE_LOG").filter(|path| !path.is_empty());
        TuneLog(path.and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok()))
    }

    /// Logs a candidate's time, as a ratio to the fixed choice's time in seconds.
    pub fn timed(&mut self, call: &KernelCall<Slice>, tile: &Tile, ratio: f64, fixed: f64) {
        let result = serde_json::json!({ "ratio": ratio, "ms": 1e3 * ratio * fixed, "fixed_ms": 1e3 * fixed });
        self.line(call, tile, result);
    }

    /// Logs a candidate that is dropped, and the reason.
    pub fn dropped(&mut self, call: &KernelCall<Slice>, tile: &Tile, why: &str) {
        self.line(call, tile, serde_json::json!({ "dropped": why }));
    }

    fn line(&mut self, call: &KernelCall<Slice>, tile: &Tile, mut what: serde_json::Value) {
        let Some(file) = &mut self.0 else { return };
        what["kernel"] = call.kernel.into();
        what["gflop"] = (call.flops as f64 / 1e9).into();
        what["elements"] = format!("{:?}", call.elements).into();
        what["consts"] = call.consts().prelude().into();
        what["tile"] = serde_json::json!(tile);
        // A failed write never fails a run.
        let _ = writeln!(file, "{what}");
    }
}
