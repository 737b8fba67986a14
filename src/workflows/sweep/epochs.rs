//! Shorter runs of a sweep, for a small trial of a long one.

use toml::Value;

/// The settings that count epochs, multiplied by a factor. Those that a run does not have are left out.
pub(super) fn scaled(settings: &toml::Table, factor: f64) -> toml::Table {
    let whole = |value: &Value| value.as_integer().map(|epochs| ((epochs as f64 * factor).round() as i64).max(1));
    let mut scaled = toml::Table::new();
    for key in ["epochs", "step_size"] {
        if let Some(epochs) = settings.get(key).and_then(whole) {
            scaled.insert(key.into(), epochs.into());
        }
    }
    for key in ["warmup", "head_epochs"] {
        if let Some(epochs) = settings.get(key).and_then(Value::as_float) {
            scaled.insert(key.into(), (epochs * factor).into());
        }
    }
    if let Some(milestones) = settings.get("milestones").and_then(Value::as_array) {
        // Two milestones may fall into one epoch, which then has one fall.
        let mut milestones: Vec<i64> = milestones.iter().filter_map(whole).collect();
        milestones.dedup();
        scaled.insert("milestones".into(), milestones.into());
    }
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_count_epochs_are_scaled_and_no_others() {
        let settings: toml::Table = toml::from_str(
            "epochs = 15\nstep_size = 2\nmilestones = [10, 11, 40]\nwarmup = 0.5\nlr = 0.1\nbatch_size = 16\nearly_stop = 5\n",
        )
        .unwrap();
        let expected = "epochs = 3\nstep_size = 1\nmilestones = [2, 8]\nwarmup = 0.1\n";
        assert_eq!(scaled(&settings, 0.2), toml::from_str(expected).unwrap());
        // Half an epoch becomes one.
        assert_eq!(scaled(&settings, 0.03)["epochs"], 1.into());
    }
}
