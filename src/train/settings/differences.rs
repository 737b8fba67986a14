//! Differences between two tables of settings, in words.

/// A setting with different values in two tables.
pub(crate) struct Difference {
    /// Its key.
    pub key: String,
    /// Its value in the first table: `not set` if it has none.
    pub before: String,
    /// Its value in the second.
    pub now: String,
}

/// The settings that differ and that `counts`, by key.
pub(crate) fn differences(before: &toml::Table, now: &toml::Table, counts: impl Fn(&str) -> bool) -> Vec<Difference> {
    let differs = |key: &&String| counts(key) && before.get(*key) != now.get(*key);
    let mut keys: Vec<&String> = before.keys().chain(now.keys()).filter(differs).collect();
    keys.sort_unstable();
    keys.dedup();
    let text = |value: Option<&toml::Value>| value.map_or("not set".to_owned(), toml::Value::to_string);
    let difference =
        |key: &String| Difference { key: key.clone(), before: text(before.get(key)), now: text(now.get(key)) };
    keys.into_iter().map(difference).collect()
}
