//! The order in which `--help` lists the settings of a task, and the examples below.

use crate::setting::{Setting, SettingPlace};
use crate::tasks::{Example, Task};

/// The settings of a task, in the order of the help: by their places. Those without a place come last, as declared.
pub(super) fn in_order(task: &dyn Task) -> Vec<&'static Setting> {
    let mut settings: Vec<&Setting> = task.settings().iter().collect();
    settings.sort_by_key(|setting| (setting.place.is_none(), setting.place));
    settings
}

/// Whether only `--help` lists a setting, and `-h` does not. Settings without a place are in both.
pub(super) fn is_long(setting: &Setting) -> bool {
    setting.place.is_some_and(|SettingPlace { main, .. }| !main)
}

/// Column at which the remarks on commands begin.
const REMARKS: usize = 48;

/// Commands for a start, below the help of a task.
pub(super) fn examples(task: &dyn Task) -> String {
    let line = |example: &Example| {
        let flag = |(key, value): &(&str, &str)| format!(" --{} {value}", key.replace('_', "-"));
        let flags: String = example.settings.iter().map(flag).collect();
        let command = format!("train {}{flags}", task.name());
        format!("\n  shadegrad {}", format!("{command:<REMARKS$}{}", example.about).trim_end())
    };
    let lines: String = task.examples().iter().map(line).collect();
    if lines.is_empty() {
        return lines;
    }
    format!(
        "Examples:{lines}\n\n`-h` lists the main settings, `--help` all. Every flag is also a key of a TOML file (--config)."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_of_a_built_in_task_has_the_same_place_in_all_tasks() {
        let tasks = crate::tasks::tasks();
        let settings: Vec<&Setting> = tasks.iter().flat_map(|task| task.settings()).collect();
        let missing: Vec<_> = settings.iter().filter(|setting| setting.place.is_none()).map(|s| s.key).collect();
        assert!(missing.is_empty(), "without #[place(…)]: {missing:?}");
        for one in &settings {
            let spot = |setting: &Setting| setting.place.map(|place| (place.group, place.position));
            let unlike = |other: &&&Setting| (one.key == other.key) != (spot(one) == spot(other));
            let unlike: Vec<_> = settings.iter().filter(unlike).map(|other| (other.key, other.place)).collect();
            assert!(unlike.is_empty(), "{} {:?} and {unlike:?}", one.key, one.place);
            let counted = settings.iter().filter(|other| other.key == one.key && other.ignored_by != one.ignored_by);
            assert_eq!(counted.count(), 0, "comparisons ignore {} in some tasks only", one.key);
        }
    }
}
