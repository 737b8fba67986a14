//! Engines against the f64 twins of the shaders. No test needs a file, since `benches/gpu.sh` runs this binary alone on
//! a GPU.

#[path = "../common/mod.rs"]
mod common;
mod gpu_engine;
mod gpu_matrix_units;
mod gpu_tiles;
mod ops_match_twin;
mod own_kernel;
mod precision;
mod results_in_parts;
mod shared_device;
