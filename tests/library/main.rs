//! The library without the command line: refusals of graphs, layers and sessions, shaders for every backend, the
//! examples.

#[path = "../common/mod.rs"]
mod common;
mod examples;
mod graph_rules;
mod misuse;
mod pages;
mod settings_page;
mod shaders_translate;
#[path = "../support/stop_after.rs"]
mod stop_after;
mod words;
