//! What cannot be right is refused with an error that says why, before any number is computed wrongly.

mod labels;
mod states;

/// The error as a person reads it, which must have all of `parts`.
#[track_caller]
fn refused<T, E: std::fmt::Display>(result: Result<T, E>, parts: &[&str]) {
    let error = result.err().expect("it must be refused").to_string();
    for part in parts {
        assert!(error.contains(part), "`{part}` is missing: {error}");
    }
}
