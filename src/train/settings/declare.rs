//! The declaration of a task's settings. One list gives the resolved settings, the defaults, the known keys and the
//! flags of the command line.

/// Declares the settings of a task: its own, which must include `scenes`, `epochs`, `batch_size` and `lr`, and those that all
/// tasks share. Settings without a default stand under `optional`. The type checks the ranges of the task's own
/// settings in a method: `fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError>`.
///
/// The doc comment of a setting is its help, and ends with the default. It names other settings as config files do: `lr`, or
/// `optimizer = sgd`; the command line shows these as flags. Attributes after it give further facts:
///
/// | attribute | fact |
/// |---|---|
/// | `#[value("DIR")]` | name of its value in the help; by default the key in capitals |
/// | `#[place(Data, 20)]` | its [group](crate::train::settings::SettingGroup) in lists and its position there; `main` as a third argument for one of the few main settings |
/// | `#[ignored_by(Data, Resume)]` | [comparisons](crate::train::settings::SettingComparison) that ignore it; by default none |
///
/// The four settings that every task includes have the same group and comparisons in all tasks, so they need no attribute. The macro
/// makes a type with a field for each setting; it implements [`TaskSettings`](crate::train::settings::TaskSettings).
#[macro_export]
macro_rules! task_settings {
    (
        task $task:literal;
        $(#[$attribute:meta])* config $Config:ident;
        $(optional { $($optional:tt)* })?
        values { $($values:tt)* }
    ) => {
        $crate::declare_settings! {
            task $task;
            $(#[$attribute])* config $Config;
            optional {
                /// Folder of the data set; built-in scenes are drawn when not given
                #[value("DIR")]
                #[place(Data, 10, main)]
                #[ignored_by(Resume)]
                data: std::path::PathBuf,
                /// Run folder to create; runs/TASK-MODEL-NNN when not given
                #[value("DIR")]
                #[place(Run, 10, main)]
                #[ignored_by(Data, Resume, Ranks, Sweep)]
                out: std::path::PathBuf,
                /// Run folder to resume where it stopped, with its own settings
                #[value("RUN")]
                #[place(Run, 20, main)]
                #[ignored_by(Resume)]
                resume: std::path::PathBuf,
                /// Resume with changed data, or with changed settings that affect the weights [default: false]
                #[place(Run, 30)]
                #[ignored_by(Data, Resume)]
                allow_changed_data: bool,
                /// Weights that training starts from: a run, a safetensors or PyTorch file, or a folder of Hugging Face;
                /// imagenet stands for published weights; random weights when not given
                #[value("RUN|FILE|DIR|imagenet")]
                #[place(Model, 90, main)]
                #[ignored_by(Resume)]
                init: std::path::PathBuf,
                /// Start from the published ImageNet weights of the encoder, which are fetched once; the same as `init = imagenet`
                /// [default: false]
                #[place(Model, 100, main)]
                #[ignored_by(Resume)]
                pretrained: bool,
                /// Train on this number of the training images, drawn by the seed, for a small trial; mixup and CutMix still mix
                /// in the others [default: all]
                #[value("N")]
                #[place(Data, 150)]
                limit: usize,
                /// Fetch nothing: published weights must be in a folder of this machine [default: false]
                #[place(Model, 110)]
                #[ignored_by(Data, Resume, Sweep)]
                offline: bool,
                /// Learning rate over the run; constant with `data` where it is not chosen [default: cosine]
                #[place(Schedule, 10, main)]
                #[ignored_by(Data)]
                schedule: $crate::train::Schedule,
                /// Epochs at the start over which the learning rate rises linearly; after `head_epochs` the rates of the encoder
                /// rise the same way; with `finetune` 0.5 unless given [default: 0.0]
                #[place(Schedule, 20)]
                #[ignored_by(Data)]
                warmup: f64,
                /// Fine-tune the weights of `pretrained` or `init`: the head alone at first, then all layers, with lower learning rates
                /// in earlier stages. Sets `head_epochs`, `lr_decay_layers`, `warmup` and `schedule = cosine`, unless given [default: false]
                #[place(Model, 120, main)]
                finetune: bool,
                /// Epochs at the start that train the head alone: all layers that do not belong to the encoder; with `finetune` 1,
                /// or 0.3 of a shorter run, unless given [default: 0.0]
                #[place(Model, 130)]
                head_epochs: f64,
                /// Factor of the learning rate from each stage to the one before it; the head has the full rate; with `finetune`
                /// 0.5 unless given [default: 1.0]
                #[place(Model, 140)]
                lr_decay_layers: f64,
                /// Training images of an epoch. all: each once. balanced: as many draws as there are images, with equal shares of
                /// all classes, for sets whose classes have unequal numbers of images [default: all]
                #[place(Data, 180)]
                sampler: $crate::data::Sampler,
                /// Normalize by the running statistics of the encoder's BatchNorm in training too, and keep them as they are
                /// [default: false]
                #[place(Model, 160)]
                freeze_statistics: bool,
                /// Parts that each batch is cut into. The gradients of each part are computed alone and added in a fixed order, so
                /// the weights do not depend on the number of ranks (mpirun) that share the parts; BatchNorm and Dice see each
                /// part alone; under mpirun the largest divisor of the batch size up to 8 unless given [default: 1]
                #[place(Ranks, 10)]
                shards: usize,
                /// Shares of the ranks (mpirun) in the shards of a batch, such as 3,1: the first rank computes three times as many as
                /// the second [default: equal; by the measured speed where devices differ]
                #[value("SHARES")]
                #[place(Ranks, 20)]
                #[ignored_by(Resume)]
                shares: Vec<usize>,
                /// Width of the gradients that ranks (mpirun) send each other; in 16 bits, what rounding loses is added to the next
                /// step, and the number of ranks changes the bits of the weights [default: f32]
                #[place(Ranks, 30)]
                wire: $crate::ranks::Wire,
                /// Optimizer steps between two comparisons of the weights of all ranks (mpirun), which are compared after each epoch
                /// too; 0 for none between [default: 0]
                #[value("N")]
                #[place(Ranks, 40)]
                #[ignored_by(Data, Resume)]
                check_every: usize,
                $($($optional)*)?
            }
            values {
                $($values)*
                /// Random changes to the training images: none, light, strong, trivial, or a list of operations as in a config file
                /// [default: none]
                #[value("none|light|strong|trivial")]
                #[place(Augmentation, 10, main)]
                #[ignored_by(Data)]
                augment: $crate::data::Augment = $crate::data::Augment::NONE,
                /// Rule that turns gradients into new weights [default: adam]
                #[place(Optimizer, 40, main)]
                #[ignored_by(Data)]
                optimizer: $crate::train::settings::Optimizer = $crate::train::settings::Optimizer::Adam,
                /// Epochs between two falls of the learning rate, for `schedule = step` [default: 10]
                #[place(Schedule, 30)]
                step_size: usize = 10,
                /// Epochs after which the learning rate falls, such as 30,60, for `schedule = multistep` [default: []]
                #[value("EPOCHS")]
                #[place(Schedule, 40)]
                #[ignored_by(Data)]
                milestones: Vec<usize> = vec![],
                /// Factor of each fall, for `schedule = step`, multistep and plateau [default: 0.1]
                #[place(Schedule, 50)]
                #[ignored_by(Data)]
                gamma: f64 = 0.1,
                /// Epochs without a better score before the learning rate falls, for `schedule = plateau` [default: 2]
                #[place(Schedule, 60)]
                #[ignored_by(Data)]
                patience: usize = 2,
                /// Momentum, for `optimizer = sgd` [default: 0.9]
                #[place(Optimizer, 50)]
                #[ignored_by(Data)]
                momentum: f64 = 0.9,
                /// Nesterov momentum, for `optimizer = sgd` [default: false]
                #[place(Optimizer, 60)]
                nesterov: bool = false,
                /// Weight decay (L2 penalty) [default: 0.0]
                #[place(Optimizer, 70)]
                #[ignored_by(Data)]
                weight_decay: f64 = 0.0,
                /// Largest norm of all gradients together; larger ones are scaled down; 0 switches clipping off [default: 0.0]
                #[place(Optimizer, 80)]
                #[ignored_by(Data)]
                clip: f64 = 0.0,
                /// Batches per optimizer step; their gradients equal those of one large batch, except for BatchNorm and Dice,
                /// which see each batch alone [default: 1]
                #[place(Optimizer, 90)]
                #[ignored_by(Data)]
                accumulate: usize = 1,
                /// Decay of a moving average of the weights, such as 0.999; evaluation and checkpoints use the average; 0
                /// switches it off [default: 0.0]
                #[place(Optimizer, 100)]
                #[ignored_by(Data)]
                ema: f64 = 0.0,
                /// Epochs without a better score after which training ends; 0 for all epochs [default: 0]
                #[place(Optimizer, 110)]
                #[ignored_by(Data, Resume)]
                early_stop: usize = 0,
                /// Layers or parameters that keep their weights: names separated by commas, where * stands for any characters;
                /// running statistics still change [default: []]
                #[value("PATTERNS")]
                #[place(Model, 150)]
                freeze: Vec<String> = vec![],
                /// Write the norms of gradients and weights at each step to norms.csv [default: false]
                #[place(Run, 40)]
                #[ignored_by(Data, Resume, Sweep)]
                log_norms: bool = false,
                /// Write a Chrome trace of the first steps to trace.json [default: false]
                #[place(Run, 50)]
                #[ignored_by(Data, Resume, Ranks, Sweep)]
                profile: bool = false,
                /// Share of the images held out for validation, for data without a split [default: 0.2]
                #[place(Data, 120)]
                #[ignored_by(Resume)]
                val_split: f64 = 0.2,
                /// Seed of initial weights, split, image order and augmentation [default: 0]
                #[place(Device, 30)]
                seed: u64 = 0,
                /// Device that computes: auto, gpu, cpu, or the name or index of an adapter (`shadegrad devices` lists them); under
                /// mpirun, 0,1 gives the ranks of a machine adapters 0 and 1 in turn
                /// [default: auto]
                #[place(Device, 10, main)]
                #[ignored_by(Data, Resume, Ranks, Sweep)]
                device: String = "auto".to_owned(),
                /// Width of activations and their gradients; weights and sums have 32 bits in both [default: f32]
                #[place(Device, 20)]
                #[ignored_by(Data, Resume)]
                precision: $crate::precision::Precision = $crate::precision::Precision::F32,
                /// Draw the training images in another order each epoch [default: true]
                #[place(Data, 170)]
                shuffle: bool = true,
                /// List unreadable images and train without them, instead of stopping [default: false]
                #[place(Data, 160)]
                #[ignored_by(Resume)]
                skip_bad: bool = false,
                /// Write an event file for TensorBoard into the run folder [default: false]
                #[place(Run, 60)]
                #[ignored_by(Data, Resume, Ranks, Sweep)]
                tensorboard: bool = false,
                /// Threads that decode images; 0 for one per core [default: 0]
                #[place(Data, 190)]
                #[ignored_by(Data, Resume, Ranks, Sweep)]
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
            $(#[doc = $odoc:literal])* $(#[value($ovalue:literal)])? $(#[place($($oplace:tt)*)])? $(#[ignored_by($($oby:ident),*)])?
            $okey:ident: $otype:ty,
        )* }
        values { $(
            $(#[doc = $doc:literal])* $(#[value($value:literal)])? $(#[place($($place:tt)*)])? $(#[ignored_by($($by:ident),*)])?
            $key:ident: $type:ty = $default:expr,
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
                    place: $crate::declare_settings!(@place $okey $($($oplace)*)?),
                    ignored_by: $crate::declare_settings!(@ignored_by $okey $($($oby)*)?),
                    kind: <$otype as $crate::internals::setting::SettingValue>::KIND,
                }, )*
                $( $crate::internals::setting::Setting {
                    key: stringify!($key),
                    help: &[$($doc),*],
                    value: $crate::declare_settings!(@value $($value)?),
                    place: $crate::declare_settings!(@place $key $($($place)*)?),
                    ignored_by: $crate::declare_settings!(@ignored_by $key $($($by)*)?),
                    kind: <$type as $crate::internals::setting::SettingValue>::KIND,
                }, )*
            ];

            fn settings(&self) -> $crate::train::settings::TrainSettings {
                use $crate::train::{Schedule, ScheduleOptions};
                let finetune = self.finetune.unwrap_or(false);
                let by_data = if self.data.is_none() || finetune { Schedule::Cosine } else { Schedule::Constant };
                let tuned = |value: Option<f64>, tuned: f64, plain: f64| value.unwrap_or(if finetune { tuned } else { plain });
                $crate::train::settings::TrainSettings {
                    data: self.data.clone(),
                    scenes: self.scenes,
                    out: self.out.clone(),
                    init: self.init.clone(),
                    pretrained: self.pretrained.unwrap_or(false),
                    offline: self.offline.unwrap_or(false),
                    limit: self.limit,
                    resume: self.resume.clone(),
                    allow_changed_data: self.allow_changed_data.unwrap_or(false),
                    epochs: self.epochs,
                    batch_size: self.batch_size,
                    lr: self.lr,
                    schedule: ScheduleOptions {
                        kind: self.schedule.unwrap_or(by_data),
                        warmup: tuned(self.warmup, 0.5, 0.0),
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
                    finetune,
                    head_epochs: tuned(self.head_epochs, f64::min(1.0, 0.3 * self.epochs as f64), 0.0),
                    lr_decay_layers: tuned(self.lr_decay_layers, 0.5, 1.0),
                    freeze_statistics: self.freeze_statistics.unwrap_or(false),
                    freeze: self.freeze.clone(),
                    log_norms: self.log_norms,
                    profile: self.profile,
                    val_split: self.val_split,
                    seed: self.seed,
                    device: self.device.clone(),
                    shuffle: self.shuffle,
                    sampler: self.sampler.unwrap_or_default(),
                    skip_bad: self.skip_bad,
                    augment: self.augment.clone(),
                    tensorboard: self.tensorboard,
                    loader_threads: self.loader_threads,
                    precision: self.precision,
                    shards: self.shards,
                    shares: self.shares.clone(),
                    wire: self.wire.unwrap_or($crate::ranks::Wire::F32),
                    check_every: self.check_every.unwrap_or(0) as u64,
                }
            }

            fn check_values(&self, rule: $crate::train::settings::Rule<'_>) -> Result<(), $crate::train::settings::ConfigError> {
                self.check_own(rule)
            }

            fn with_defaults(self) -> Self {
                let settings = self.settings();
                let finetune = settings.finetune;
                Self {
                    schedule: Some(settings.schedule.kind),
                    warmup: Some(settings.schedule.warmup),
                    head_epochs: self.head_epochs.or(finetune.then_some(settings.head_epochs)),
                    lr_decay_layers: self.lr_decay_layers.or(finetune.then_some(settings.lr_decay_layers)),
                    ..self
                }
            }

            fn without_resume(self) -> Self {
                // One shard is the same as none.
                Self { resume: None, allow_changed_data: None, shards: self.shards.filter(|&shards| shards > 1), ..self }
            }
        }
    };
    // The four settings of every task.
    (@place scenes) => { $crate::declare_settings!(@place scenes Data, 140) };
    (@place epochs) => { $crate::declare_settings!(@place epochs Optimizer, 10, main) };
    (@place batch_size) => { $crate::declare_settings!(@place batch_size Optimizer, 20, main) };
    (@place lr) => { $crate::declare_settings!(@place lr Optimizer, 30, main) };
    (@ignored_by scenes) => { $crate::declare_settings!(@ignored_by scenes Resume) };
    (@ignored_by epochs) => { $crate::declare_settings!(@ignored_by epochs Data Resume) };
    (@ignored_by batch_size) => { $crate::declare_settings!(@ignored_by batch_size Data) };
    (@ignored_by lr) => { $crate::declare_settings!(@ignored_by lr Data) };
    (@place $key:ident) => { None };
    (@place $key:ident $group:ident, $position:literal) => {
        Some($crate::internals::setting::SettingPlace {
            group: $crate::internals::setting::SettingGroup::$group,
            position: $position,
            main: false,
        })
    };
    (@place $key:ident $group:ident, $position:literal, main) => {
        Some($crate::internals::setting::SettingPlace {
            group: $crate::internals::setting::SettingGroup::$group,
            position: $position,
            main: true,
        })
    };
    (@ignored_by $key:ident $($by:ident)*) => { &[$($crate::internals::setting::SettingComparison::$by),*] };
    (@value) => { None };
    (@value $value:literal) => { Some($value) };
}
