//! A run of a sweep: its settings and its name.

/// Key of the seed.
pub(super) const SEED: &str = "seed";

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRun {
    /// The settings that distinguish it, such as `optimizer=adam lr=0.001`.
    pub name: String,
    /// The settings that distinguish it.
    pub own: toml::Table,
    /// All its settings.
    pub settings: toml::Table,
}

impl SweepRun {
    /// The run with the settings of all runs and its own.
    pub(super) fn new(base: &toml::Table, own: toml::Table) -> Self {
        let mut settings = base.clone();
        settings.extend(own.clone());
        SweepRun { name: name(&own), own, settings }
    }

    /// Changes settings. The name of the run changes with them.
    pub fn set(&mut self, settings: &toml::Table) {
        self.settings.extend(settings.clone());
        for (key, value) in settings {
            if let Some(own) = self.own.get_mut(key) {
                *own = value.clone();
            }
        }
        self.name = name(&self.own);
    }
}

/// A row for each seed, or the row itself.
pub(super) fn by_seed(row: toml::Table, seeds: &[u64]) -> Vec<toml::Table> {
    if seeds.is_empty() {
        return vec![row];
    }
    let seeded = |seed: &u64| {
        let mut row = row.clone();
        row.insert(SEED.into(), toml::Value::Integer(i64::try_from(*seed).unwrap_or(i64::MAX)));
        row
    };
    seeds.iter().map(seeded).collect()
}

/// Settings as a line of text.
pub(super) fn name(own: &toml::Table) -> String {
    own.iter().map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>().join(" ")
}

/// A value as a table shows it.
pub(super) fn text(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
