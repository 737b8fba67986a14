//! The declaration of a task's settings, once: from the list come the resolved settings, the defaults, the known keys and the
//! flags of the command line.

use std::path::Path;

use super::read::{self, TaskSettings};
use super::{ConfigError, TrainSettings};

/// The settings of any task, validated.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings that all tasks share.
    pub common: TrainSettings,
    /// All settings, by key.
    pub table: toml::Table,
    /// All settings as the `config.toml` of a run.
    pub toml: String,
}

impl Resolved {
    /// The settings of a task.
    ///
    /// # Errors
    /// A value out of range, or a path that TOML cannot hold.
    pub fn of<S: TaskSettings>(config: &S) -> Result<Self, ConfigError> {
        config.validate()?;
        let toml = config.to_toml()?;
        let table = toml::Table::try_from(config).map_err(ConfigError::NoToml)?;
        Ok(Resolved { common: config.settings(), table, toml })
    }

    /// The settings as the type that a task declares.
    ///
    /// # Errors
    /// When they are those of another task.
    pub fn read<S: TaskSettings>(&self) -> Result<S, ConfigError> {
        read::read_table(&self.table, Path::new("the settings"))
    }
}

/// Declares the settings of a task: its own, which must include `scenes`, `epochs`, `batch_size` and `lr`, and those that all
/// tasks share. The type writes `fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError>` for its own ranges.
///
/// The doc comment of a setting is its help on the command line, and ends with the default; `#[value("DIR")]` names its value
/// there. The macro defines a type with a field for each setting, which implements
/// [`TaskSettings`](crate::train::settings::TaskSettings).
#[macro_export]
macro_rules! task_settings {
    (
        task $task:literal;
        $(#[$attribute:meta])* config $Config:ident;
        values { $($values:tt)* }
    ) => {
        $crate::declare_settings! {
            task $task;
            $(#[$attribute])* config $Config;
            optional {
                /// Folder of the data; built-in scenes when not given
                #[value("DIR")]
                data: std::path::PathBuf,
                /// Run folder to create; runs/TASK-MODEL-NNN when not given
                #[value("DIR")]
                out: std::path::PathBuf,
                /// Run to resume where it stopped, with its settings
                #[value("RUN")]
                resume: std::path::PathBuf,
                /// Resume although the data or settings that change the weights are not those of the run [default: false]
                allow_changed_data: bool,
                /// Checkpoint to start from instead of random weights
                #[value("RUN|FILE.safetensors")]
                init: std::path::PathBuf,
                /// Course of the learning rate, constant where data is given [default: cosine]
                schedule: $crate::train::Schedule,
            }
            values {
                $($values)*
                /// Random changes to the training images: none, light, strong or a list as in a config file
                /// [default: none]
                #[value("none|light|strong")]
                augment: $crate::data::Augment = $crate::data::Augment::NONE,
                /// Optimizer [default: adam]
                optimizer: $crate::train::settings::Optimizer = $crate::train::settings::Optimizer::Adam,
                /// Epochs over which the learning rate first rises [default: 0.0]
                warmup: f64 = 0.0,
                /// Epochs between two falls of --schedule step [default: 10]
                step_size: usize = 10,
                /// Epochs after which the rate falls, of --schedule multistep [default: []]
                #[value("EPOCHS")]
                milestones: Vec<usize> = vec![],
                /// Factor of each fall of step, multistep and plateau [default: 0.1]
                gamma: f64 = 0.1,
                /// Epochs without a better score before --schedule plateau lowers the rate [default: 2]
                patience: usize = 2,
                /// Momentum of sgd [default: 0.9]
                momentum: f64 = 0.9,
                /// Nesterov momentum for sgd [default: false]
                nesterov: bool = false,
                /// Weight decay [default: 0.0]
                weight_decay: f64 = 0.0,
                /// Largest global gradient norm; 0 switches clipping off [default: 0.0]
                clip: f64 = 0.0,
                /// Batches whose gradients make one step, as one batch that many times as large would; a Dice loss is
                /// the mean over the batches [default: 1]
                accumulate: usize = 1,
                /// Decay of a moving average of the weights, such as 0.999; the average is evaluated and saved; 0
                /// switches it off [default: 0.0]
                ema: f64 = 0.0,
                /// End after this many epochs without a better score; 0 never [default: 0]
                early_stop: usize = 0,
                /// Layers or parameters that are not trained: names, * for any characters; their running statistics
                /// are still updated [default: []]
                #[value("PATTERNS")]
                freeze: Vec<String> = vec![],
                /// Write the norms of gradients and weights of each step to norms.csv [default: false]
                log_norms: bool = false,
                /// Write a Chrome trace of the first steps to trace.json [default: false]
                profile: bool = false,
                /// Share of the images kept for validation where the data has no split [default: 0.2]
                val_split: f64 = 0.2,
                /// Seed of initial weights, split and image order [default: 0]
                seed: u64 = 0,
                /// Where to compute: auto, gpu, cpu, an adapter's name or its index [default: auto]
                device: String = "auto".to_owned(),
                /// Width of activations and their gradients: f16 on GPUs that have it, with scaled losses and 32-bit
                /// weights and sums [default: f32]
                precision: $crate::precision::Precision = $crate::precision::Precision::F32,
                /// Draw the training images in a new order each epoch [default: true]
                shuffle: bool = true,
                /// Leave out unreadable images, listing them, instead of stopping [default: false]
                skip_bad: bool = false,
                /// Write an event file for TensorBoard into the run folder [default: false]
                tensorboard: bool = false,
                /// Threads that decode images; 0 is one per core [default: 0]
                loader_threads: usize = 0,
            }
        }
    };
}

/// See [`task_settings!`](crate::task_settings).
#[doc(hidden)]
#[macro_export]
macro_rules! declare_settings {
    (
        task $task:literal;
        $(#[$attribute:meta])* config $Config:ident;
        optional { $(
            $(#[doc = $odoc:literal])* $(#[value($ovalue:literal)])? $okey:ident: $otype:ty,
        )* }
        values { $(
            $(#[doc = $doc:literal])* $(#[value($value:literal)])? $key:ident: $type:ty = $default:expr,
        )* }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Config {
            $( $(#[doc = $odoc])* #[serde(skip_serializing_if = "Option::is_none")] pub $okey: Option<$otype>, )*
            $( $(#[doc = $doc])* pub $key: $type, )*
        }

        impl Default for $Config {
            fn default() -> Self {
                Self { $( $okey: None, )* $( $key: $default, )* }
            }
        }

        impl $crate::train::settings::TaskSettings for $Config {
            const TASK: &'static str = $task;
            const KEYS: &'static [&'static str] = &[ $( stringify!($okey), )* $( stringify!($key), )* ];
            const SETTINGS: &'static [$crate::internals::setting::Setting] = &[
                $( $crate::internals::setting::Setting {
                    key: stringify!($okey),
                    help: &[$($odoc),*],
                    value: $crate::declare_settings!(@value $($ovalue)?),
                    kind: <$otype as $crate::internals::setting::SettingValue>::KIND,
                }, )*
                $( $crate::internals::setting::Setting {
                    key: stringify!($key),
                    help: &[$($doc),*],
                    value: $crate::declare_settings!(@value $($value)?),
                    kind: <$type as $crate::internals::setting::SettingValue>::KIND,
                }, )*
            ];

            fn settings(&self) -> $crate::train::settings::TrainSettings {
                use $crate::train::{Schedule, ScheduleOptions};
                let by_data = if self.data.is_none() { Schedule::Cosine } else { Schedule::Constant };
                $crate::train::settings::TrainSettings {
                    data: self.data.clone(),
                    scenes: self.scenes,
                    out: self.out.clone(),
                    init: self.init.clone(),
                    resume: self.resume.clone(),
                    allow_changed_data: self.allow_changed_data.unwrap_or(false),
                    epochs: self.epochs,
                    batch_size: self.batch_size,
                    lr: self.lr,
                    schedule: ScheduleOptions {
                        kind: self.schedule.unwrap_or(by_data),
                        warmup: self.warmup,
                        step_size: self.step_size,
                        milestones: self.milestones.clone(),
                        gamma: self.gamma,
                        patience: self.patience,
                    },
                    optimizer: self.optimizer,
                    momentum: self.momentum,
                    nesterov: self.nesterov,
                    weight_decay: self.weight_decay,
                    clip: self.clip,
                    accumulate: self.accumulate,
                    ema: self.ema,
                    early_stop: self.early_stop,
                    freeze: self.freeze.clone(),
                    log_norms: self.log_norms,
                    profile: self.profile,
                    val_split: self.val_split,
                    seed: self.seed,
                    device: self.device.clone(),
                    shuffle: self.shuffle,
                    skip_bad: self.skip_bad,
                    augment: self.augment.clone(),
                    tensorboard: self.tensorboard,
                    loader_threads: self.loader_threads,
                    precision: self.precision,
                }
            }

            fn check_values(&self, rule: $crate::train::settings::Rule<'_>) -> Result<(), $crate::train::settings::ConfigError> {
                self.check_own(rule)
            }

            fn with_schedule(self) -> Self {
                Self { schedule: Some(self.settings().schedule.kind), ..self }
            }

            fn without_resume(self) -> Self {
                Self { resume: None, allow_changed_data: None, ..self }
            }
        }
    };
    (@value) => { None };
    (@value $value:literal) => { Some($value) };
}
