//! The groups in which `--help` lists the settings, and the settings that `-h` lists.

use crate::tasks::{Example, Task};

/// Groups and their settings, in the order of the help.
pub const GROUPS: [(&str, &[&str]); 9] = [
    (
        "Data",
        &[
            "data",
            "image_size",
            "crop",
            "scale",
            "tile",
            "eval_resize",
            "channels",
            "mask_threshold",
            "path_column",
            "label_column",
            "image_root",
            "val_split",
            "normalize",
            "scenes",
            "limit",
            "skip_bad",
            "shuffle",
            "sampler",
            "loader_threads",
        ],
    ),
    (
        "Model",
        &[
            "model",
            "stem",
            "encoder",
            "decoder",
            "depth",
            "base",
            "up",
            "skips",
            "init",
            "pretrained",
            "offline",
            "finetune",
            "head_epochs",
            "lr_decay_layers",
            "freeze",
            "freeze_statistics",
        ],
    ),
    (
        "Loss",
        &[
            "loss",
            "focal_gamma",
            "class_weights",
            "positive_weights",
            "label_smoothing",
            "rebalance",
            "color_space",
            "mixup",
            "cutmix",
        ],
    ),
    (
        "Optimizer",
        &[
            "epochs",
            "batch_size",
            "lr",
            "optimizer",
            "momentum",
            "nesterov",
            "weight_decay",
            "clip",
            "accumulate",
            "ema",
            "early_stop",
        ],
    ),
    ("Learning rate over time", &["schedule", "warmup", "step_size", "milestones", "gamma", "patience"]),
    ("Augmentation", &["augment", "augment_from"]),
    ("Device", &["device", "precision", "seed"]),
    ("Several devices", &["shards", "shares", "wire", "check_every"]),
    ("Run", &["out", "resume", "allow_changed_data", "log_norms", "profile", "tensorboard"]),
];

/// Settings that `-h` lists; `--help` lists all.
const MAIN: &[&str] = &[
    "data",
    "image_size",
    "model",
    "encoder",
    "init",
    "pretrained",
    "finetune",
    "loss",
    "class_weights",
    "epochs",
    "batch_size",
    "lr",
    "optimizer",
    "schedule",
    "augment",
    "device",
    "out",
    "resume",
];

/// The group of a setting. A setting of a user's own task has no group.
pub(super) fn heading(key: &str) -> Option<&'static str> {
    GROUPS.iter().find(|(_, keys)| keys.contains(&key)).map(|(name, _)| *name)
}

/// Position of a setting in the help.
pub(super) fn position(key: &str) -> usize {
    let mut keys = GROUPS.iter().flat_map(|(_, keys)| keys.iter());
    keys.position(|known| *known == key).unwrap_or(usize::MAX)
}

/// Whether `-h` lists a setting.
pub(super) fn is_main(key: &str) -> bool {
    MAIN.contains(&key)
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
    fn every_setting_of_a_built_in_task_has_one_group() {
        let tasks = crate::tasks::tasks();
        let keys: Vec<&str> = tasks.iter().flat_map(|task| task.settings().iter().map(|setting| setting.key)).collect();
        let groups = |key: &str| GROUPS.iter().filter(|(_, keys)| keys.contains(&key)).count();
        let other: Vec<_> = keys.iter().filter(|key| groups(key) != 1).collect();
        assert!(other.is_empty(), "not in one group of src/cli/groups.rs: {other:?}");
        let grouped = GROUPS.iter().flat_map(|(_, keys)| *keys).chain(MAIN);
        let unknown: Vec<_> = grouped.filter(|key| !keys.contains(key)).collect();
        assert!(unknown.is_empty(), "no task has {unknown:?}");
    }
}
