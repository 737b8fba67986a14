//! Exports networks as ONNX models for inference, which onnxruntime and other programs load.
//!
//! [`export`] writes a graph. [`OnnxBuilder`] adds nodes before and after it, names, and documentation. Activations are
//! N C H W in the model. N may be any number of images; all other sizes are those of the graph.
//!
//! ```no_run
//! # fn f(graph: &shadegrad::graph::Graph, session: &mut shadegrad::exec::Session<shadegrad::exec::AnyEngine>)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! // A graph of nn::Mode::Eval with the output "logits", and a session with its weights.
//! let model = shadegrad::interop::onnx::export(graph, session, &["logits"])?;
//! model.write_new("model.onnx".as_ref())?;
//! # Ok(()) }
//! ```

mod builder;
mod proto;
mod walk;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use prost::Message;

pub use builder::{Dim, OnnxBuilder};

use super::files::{FileError, write_new};
use crate::exec::{AnyEngine, ExecError, Session};
use crate::graph::Graph;

/// Largest size of a protobuf message, in bytes.
const MOST_BYTES: usize = i32::MAX as usize;

/// Errors of the export.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// An op that ONNX cannot express, or not in this position.
    #[error("{op}{at} cannot be exported to ONNX: {reason}")]
    Op {
        /// Op name.
        op: &'static str,
        /// ` in LAYER`, or empty.
        at: String,
        /// Reason.
        reason: String,
    },
    /// An input, output or state that ONNX cannot express.
    #[error("`{name}` cannot be exported to ONNX: {reason}")]
    Value {
        /// Its name.
        name: String,
        /// Reason.
        reason: String,
    },
    /// The weights cannot be read.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file exists.
    #[error("{} exists already and is not overwritten: choose another name or move it away", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// The model is larger than an ONNX file can be.
    #[error("the model takes {bytes} bytes, but an ONNX file holds at most {MOST_BYTES}: make the network smaller")]
    TooLarge {
        /// Length of the file.
        bytes: usize,
    },
}

/// A complete model.
#[derive(Clone, Debug, PartialEq)]
pub struct OnnxModel(proto::ModelProto);

impl OnnxModel {
    /// The bytes of the file. Equal models give equal bytes.
    ///
    /// # Errors
    /// [`OnnxError::TooLarge`] above 2 GiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OnnxError> {
        match self.0.encoded_len() {
            bytes if bytes > MOST_BYTES => Err(OnnxError::TooLarge { bytes }),
            _ => Ok(self.0.encode_to_vec()),
        }
    }

    /// Writes the model to a new file, atomically.
    ///
    /// # Errors
    /// [`OnnxError::Taken`] when the file exists, [`OnnxError::TooLarge`], or [`OnnxError::File`] when it cannot be
    /// written.
    pub fn write_new(&self, path: &Path) -> Result<(), OnnxError> {
        check_free(path)?;
        let bytes = self.to_bytes()?;
        write_new(path, |w| w.write_all(&bytes)).map_err(|error| match error.source.kind() {
            ErrorKind::AlreadyExists => OnnxError::Taken { path: path.to_owned() },
            _ => error.into(),
        })
    }
}

/// Checks that no file of this name exists.
///
/// # Errors
/// [`OnnxError::Taken`] when the file exists.
pub fn check_free(path: &Path) -> Result<(), OnnxError> {
    if path.symlink_metadata().is_ok() { Err(OnnxError::Taken { path: path.to_owned() }) } else { Ok(()) }
}

/// Makes an ONNX model of an inference graph, fused or not. The model has the named outputs and the inputs on which
/// they depend, under their names in the graph. The weights come from the session.
///
/// # Errors
/// When an output does not exist, an op on which it depends cannot be exported, or the session lacks a state.
pub fn export(graph: &Graph, session: &mut Session<AnyEngine>, outputs: &[&str]) -> Result<OnnxModel, OnnxError> {
    let mut builder = OnnxBuilder::new();
    let values = builder.graph(graph, session, &[], outputs)?;
    for (name, value) in outputs.iter().zip(&values) {
        let dims = walk::output_dims(graph, name)?;
        builder.output(name, value, &dims, "")?;
    }
    Ok(builder.finish("network", "", []))
}
