//! Training through the library: networks learn, a resumed run equals an uninterrupted one, and settings and run
//! folders are kept.

mod craft;
mod decisions;
mod doubts;
mod layers;
mod learning;
mod linked;
mod longer;
mod multilabel;
mod multilabel_scores;
mod own_loop;
mod ranks;
mod resume;
mod run_config;
mod run_dir;
mod shards;
#[path = "../support/stop_after.rs"]
mod stop_after;
mod sweep_ranks;
mod trust;
mod verdict;
mod verdict_colors;
mod verdict_exceptions;
mod verdict_run;
mod verdict_sizes;
