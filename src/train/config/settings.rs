//! One list of settings per verb: from it come the resolved config, the overrides that a TOML file
//! and the command line both fill, the defaults and the known keys.

/// Declares a verb's settings once.
///
/// `optional` settings may stay unset; `values` have a default. The doc comment of a setting is also
/// its help text on the command line; `#[arg(...)]` adds to clap's attributes. Made are:
/// - `$Config`: every setting resolved, with `Default`, `KEYS` and `merge(&[first, then, ...])`;
/// - `$Overrides`: every setting an `Option`, both `Deserialize` and, with the feature `cli`, `clap::Args` (long flags).
macro_rules! settings {
    (
        $(#[$config_attribute:meta])* config $Config:ident;
        $(#[$overrides_attribute:meta])* overrides $Overrides:ident;
        optional { $(
            $(#[doc = $odoc:literal])* $(#[arg($($oarg:tt)*)])? $okey:ident: $otype:ty,
        )* }
        values { $(
            $(#[doc = $doc:literal])* $(#[arg($($arg:tt)*)])? $key:ident: $type:ty = $default:expr,
        )* }
    ) => {
        $(#[$config_attribute])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub struct $Config {
            $( $(#[doc = $odoc])* #[serde(skip_serializing_if = "Option::is_none")] pub $okey: Option<$otype>, )*
            $( $(#[doc = $doc])* pub $key: $type, )*
        }

        $(#[$overrides_attribute])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
        #[cfg_attr(feature = "cli", derive(clap::Args), command(allow_negative_numbers = true))]
        #[serde(default, deny_unknown_fields)]
        pub struct $Overrides {
            /// TOML file with settings; flags win over it.
            #[cfg_attr(feature = "cli", arg(long, value_name = "FILE"))]
            #[serde(skip)]
            pub config: Option<std::path::PathBuf>,
            $( $(#[doc = $odoc])* #[cfg_attr(feature = "cli", arg(long))] $(#[cfg_attr(feature = "cli", arg($($oarg)*))])? pub $okey: Option<$otype>, )*
            $( $(#[doc = $doc])* #[cfg_attr(feature = "cli", arg(long))] $(#[cfg_attr(feature = "cli", arg($($arg)*))])? pub $key: Option<$type>, )*
        }

        impl Default for $Config {
            fn default() -> Self {
                Self { $( $okey: None, )* $( $key: $default, )* }
            }
        }

        impl $Config {
            /// Every key that a config file may hold.
            pub const KEYS: &[&str] = &[ $( stringify!($okey), )* $( stringify!($key), )* ];

            /// Each setting from the first of `layers` that sets it, else its default. Not validated.
            fn merge(layers: &[&$Overrides]) -> Self {
                let mut merged = Self::default();
                for layer in layers.iter().rev() {
                    $( if layer.$okey.is_some() { merged.$okey.clone_from(&layer.$okey); } )*
                    $( if let Some(value) = &layer.$key { merged.$key.clone_from(value); } )*
                }
                merged
            }
        }

        impl $Overrides {
            fn sets(&self, key: &str) -> bool {
                match key {
                    $( stringify!($okey) => self.$okey.is_some(), )*
                    $( stringify!($key) => self.$key.is_some(), )*
                    _ => false,
                }
            }
        }
    };
}
pub(super) use settings;

/// Declares the settings of a training verb: its own, which must include `epochs`, `batch_size` and `lr`, and those that
/// all tasks share. The verb writes `fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError>`.
macro_rules! task_settings {
    (
        verb $verb:literal;
        $(#[$config_attribute:meta])* config $Config:ident;
        $(#[$overrides_attribute:meta])* overrides $Overrides:ident;
        optional { $($optional:tt)* }
        values { $($values:tt)* }
    ) => {
        settings! {
            $(#[$config_attribute])* config $Config;
            $(#[$overrides_attribute])* overrides $Overrides;
            optional {
                /// Folder of the data; built-in scenes when not given
                #[arg(value_name = "DIR")]
                data: std::path::PathBuf,
                /// Run folder to create; runs/TASK-MODEL-NNN when not given
                #[arg(value_name = "DIR")]
                out: std::path::PathBuf,
                /// Run to go on with where it stopped, with its settings
                #[arg(value_name = "RUN")]
                resume: std::path::PathBuf,
                /// Checkpoint to start from instead of random weights
                #[arg(value_name = "RUN|FILE.safetensors")]
                init: std::path::PathBuf,
                /// Course of the learning rate, constant where data is given [default: cosine]
                schedule: Schedule,
                $($optional)*
            }
            values {
                $($values)*
                /// Random changes to the training images: none, light, strong or a list as in a config file
                /// [default: none]
                #[arg(value_name = "none|light|strong")]
                augment: crate::data::Augment = crate::data::Augment::NONE,
                /// Optimizer [default: adam]
                optimizer: Optimizer = Optimizer::Adam,
                /// Epochs over which the learning rate first rises [default: 0.0]
                warmup: f64 = 0.0,
                /// Epochs between two falls of --schedule step [default: 10]
                step_size: usize = 10,
                /// Epochs after which the rate falls, of --schedule multistep [default: []]
                #[arg(value_delimiter = ',', value_name = "EPOCHS")]
                milestones: Vec<usize> = vec![],
                /// Factor of such a fall, and of plateau [default: 0.1]
                gamma: f64 = 0.1,
                /// Epochs without a better score (accuracy, mean IoU, PSNR) that --schedule plateau bears [default: 2]
                patience: usize = 2,
                /// Momentum of sgd [default: 0.9]
                momentum: f64 = 0.9,
                /// Nesterov momentum for sgd [default: false]
                #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
                nesterov: bool = false,
                /// Weight decay [default: 0.0]
                weight_decay: f64 = 0.0,
                /// Largest global gradient norm; 0 switches clipping off [default: 0.0]
                clip: f64 = 0.0,
                /// Batches whose gradients make one step, as one batch that many times as large; Dice is the mean of
                /// the batches' [default: 1]
                accumulate: usize = 1,
                /// Decay of a moving average of the weights, which is what is evaluated and saved, such as 0.999; 0
                /// switches it off [default: 0.0]
                ema: f64 = 0.0,
                /// End after this many epochs without a better score; 0 never [default: 0]
                early_stop: usize = 0,
                /// Layers or parameters that are not trained: names, * for any characters; running statistics go on
                /// [default: []]
                #[arg(value_delimiter = ',', value_name = "PATTERNS")]
                freeze: Vec<String> = vec![],
                /// Write the norms of gradients and weights of each step to norms.csv [default: false]
                #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
                log_norms: bool = false,
                /// Write a Chrome trace of the first steps to trace.json [default: false]
                #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
                profile: bool = false,
                /// Share of the images kept for validation where the data has no split of its own [default: 0.2]
                val_split: f64 = 0.2,
                /// Seed of initial weights, split and image order [default: 0]
                seed: u64 = 0,
                /// Where to compute: auto, gpu, cpu, an adapter's name or its index [default: auto]
                device: String = "auto".to_owned(),
                /// Width of activations and their gradients: f16 on GPUs that have it, with scaled losses and 32-bit
                /// weights and sums [default: f32]
                precision: crate::precision::Precision = crate::precision::Precision::F32,
                /// Draw the training images in a new order each epoch [default: true]
                #[arg(num_args = 0..=1, default_missing_value = "true")]
                shuffle: bool = true,
                /// Leave out unreadable images, listing them, instead of stopping [default: false]
                #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
                skip_bad: bool = false,
                /// Write an event file for TensorBoard into the run folder [default: false]
                #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
                tensorboard: bool = false,
                /// Threads that decode images; 0 is one per core [default: 0]
                loader_threads: usize = 0,
            }
        }

        impl $Config {
            /// Flags over the file that `--config` names over the defaults, validated.
            ///
            /// # Errors
            /// An unreadable file, an unknown key, a wrong type, or a value out of range.
            pub fn resolve(flags: &$Overrides) -> Result<Self, ConfigError> {
                refuse_beside_resume(&flags.resume, [
                    ("config", &flags.config),
                    ("out", &flags.out),
                    ("init", &flags.init),
                ])?;
                // A run that goes on has its own settings, under those that are given anew.
                let path = flags.resume.as_ref().map(|run| run.join("config.toml")).or(flags.config.clone());
                let file = match &path {
                    Some(path) => read_overrides(path, Self::KEYS)?,
                    None => $Overrides::default(),
                };
                let mut merged = Self::merge(&[flags, &file]);
                merged.out = flags.resume.clone().or(merged.out);
                merged.schedule = Some(merged.settings().schedule.kind);
                merged.check(|key| match &path {
                    _ if flags.sets(key) => Origin::Flag,
                    Some(path) if file.sets(key) => Origin::File(path.clone()),
                    _ => Origin::Code,
                })?;
                Ok(merged)
            }

            /// The settings in a TOML file, such as a run directory's `config.toml`, over the defaults.
            ///
            /// # Errors
            /// As [`Self::resolve`].
            pub fn from_file(path: &std::path::Path) -> Result<Self, ConfigError> {
                Self::resolve(&$Overrides { config: Some(path.to_owned()), ..Default::default() })
            }

            /// The settings in a table over the defaults; `path` is where the table was read, for errors.
            ///
            /// # Errors
            /// As [`Self::resolve`].
            pub fn from_table(table: &toml::Table, path: &std::path::Path) -> Result<Self, ConfigError> {
                let given: $Overrides = overrides_of(table, path, Self::KEYS)?;
                let mut merged = Self::merge(&[&given]);
                merged.schedule = Some(merged.settings().schedule.kind);
                merged.check(|key| match given.sets(key) {
                    true => Origin::File(path.to_owned()),
                    false => Origin::Code,
                })?;
                Ok(merged)
            }

            /// Checks every value's range; for settings made in code.
            ///
            /// # Errors
            /// The first value that is out of range.
            pub fn validate(&self) -> Result<(), ConfigError> {
                self.check(|_| Origin::Code)
            }

            fn check(&self, origin: impl Fn(&str) -> Origin) -> Result<(), ConfigError> {
                let rule: Rule<'_> = &|key, value, holds, expected| {
                    if holds {
                        return Ok(());
                    }
                    Err(ConfigError::Value { key, value: value.to_string(), origin: origin(key), expected })
                };
                self.settings().check(rule)?;
                self.check_own(rule)
            }

            /// What all tasks share.
            pub fn settings(&self) -> TrainSettings {
                let by_data = if self.data.is_none() { Schedule::Cosine } else { Schedule::Constant };
                TrainSettings {
                    data: self.data.clone(),
                    out: self.out.clone(),
                    init: self.init.clone(),
                    resume: self.resume.clone(),
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
                    tensorboard: self.tensorboard,
                    loader_threads: self.loader_threads,
                    precision: self.precision,
                }
            }

            /// The settings as a TOML file that `--config` reads back to the same settings.
            ///
            /// # Errors
            /// A path that is not Unicode, which TOML cannot hold.
            pub fn to_toml(&self) -> Result<String, ConfigError> {
                let schedule = Some(self.settings().schedule.kind);
                let resolved = Self { schedule, resume: None, ..self.clone() };
                to_toml(&resolved, concat!("train ", $verb))
            }
        }
    };
}
pub(super) use task_settings;
