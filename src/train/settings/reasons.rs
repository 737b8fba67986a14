//! The reasons of settings that data and device decided, as comments of `config.toml`.

/// Start of such a comment.
const CHOSEN: &str = "# Chosen: ";

/// A `config.toml` with reasons of some of its settings, by key.
pub(crate) fn with_reasons<'a>(toml: String, reasons: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    reasons.into_iter().fold(toml, |toml, (key, reason)| format!("{toml}{CHOSEN}{key}: {reason}\n"))
}

/// The reasons in a `config.toml`, by key.
pub(crate) fn reasons(toml: &str) -> impl Iterator<Item = (&str, &str)> {
    toml.lines().filter_map(|line| line.strip_prefix(CHOSEN)?.split_once(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_comments_that_are_read_back() {
        let all = [("epochs", "3: so that it ends"), ("lr", "for ResNets")];
        let noted = with_reasons("epochs = 3\n".into(), all);
        assert_eq!(toml::from_str::<toml::Table>(&noted).expect("TOML").len(), 1);
        assert_eq!(reasons(&noted).collect::<Vec<_>>(), all);
    }
}
