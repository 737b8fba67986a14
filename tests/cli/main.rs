//! The command line as a user types it.

mod auto;
mod browser;
mod channels;
#[path = "../common/mod.rs"]
mod common;
mod course;
mod demo;
mod dense_tasks;
mod determinism;
mod doctor;
mod dry_run;
mod explain;
mod faults;
mod finetune;
mod hub;
mod kernels;
mod pretrained;
mod prompt;
mod report;
#[cfg(unix)]
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod tensorboard;
mod trained_runs;
mod verbs;
mod watch;
