//! Settings as data: key, help and kind of value. Models and tasks list their settings. The command line makes flags of
//! the lists, and config files make keys. The floors below know neither.

/// A setting: a key of a config file and, with dashes, a flag of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Key, such as `batch_size`.
    pub key: &'static str,
    /// Lines of help.
    pub help: &'static [&'static str],
    /// Name of its value in the help; by default the key in capitals.
    pub value: Option<&'static str>,
    /// Its place in lists of settings; a setting without a place stands after the others.
    pub place: Option<SettingPlace>,
    /// Comparisons of settings that ignore it.
    pub ignored_by: &'static [SettingComparison],
    /// Kind of its value.
    pub kind: Kind,
}

/// The place of a setting in lists, such as the help and the page of all settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettingPlace {
    /// Its group.
    pub group: SettingGroup,
    /// Its position in the group. Positions ascend in steps of 10, so that a new setting fits between two others.
    pub position: u16,
    /// Whether it is one of the main settings, which a short help lists.
    pub main: bool,
}

/// Groups of settings, in the order of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SettingGroup {
    /// The data and how it is read.
    Data,
    /// The network and its initial weights.
    Model,
    /// The loss and its targets.
    Loss,
    /// The optimizer, its learning rate and its steps.
    Optimizer,
    /// The learning rate over time.
    Schedule,
    /// Augmentation.
    Augmentation,
    /// The device and its numbers.
    Device,
    /// Training on several devices.
    Ranks,
    /// The folder of the run and its files.
    Run,
}

impl SettingGroup {
    /// All groups.
    pub const ALL: [SettingGroup; 9] = [
        SettingGroup::Data,
        SettingGroup::Model,
        SettingGroup::Loss,
        SettingGroup::Optimizer,
        SettingGroup::Schedule,
        SettingGroup::Augmentation,
        SettingGroup::Device,
        SettingGroup::Ranks,
        SettingGroup::Run,
    ];

    /// Its heading.
    pub const fn heading(self) -> &'static str {
        match self {
            SettingGroup::Data => "Data",
            SettingGroup::Model => "Model",
            SettingGroup::Loss => "Loss",
            SettingGroup::Optimizer => "Optimizer",
            SettingGroup::Schedule => "Learning rate over time",
            SettingGroup::Augmentation => "Augmentation",
            SettingGroup::Device => "Device",
            SettingGroup::Ranks => "Several devices",
            SettingGroup::Run => "Run",
        }
    }
}

/// Comparisons of the settings of two runs. A setting counts in a comparison unless its declaration says that the comparison
/// ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingComparison {
    /// Of two runs of a sweep: runs that differ only in settings of training read their data alike, and share a fingerprint.
    Data,
    /// Of a run with the command that resumes it. It ignores settings that change no weight, and those whose change the
    /// fingerprint of the data shows.
    Resume,
    /// Of the ranks that train together.
    Ranks,
    /// Of a run in a sweep's folder with the row of the sweep. It ignores settings that do not change the results.
    Sweep,
}

/// Whether a comparison ignores the setting of this key. A key without a declaration counts.
pub fn is_ignored(declared: &[Setting], by: SettingComparison, key: &str) -> bool {
    declared.iter().any(|setting| setting.key == key && setting.ignored_by.contains(&by))
}

/// The kind of a setting's value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number, 0 or more.
    Whole,
    /// A number.
    Number,
    /// True or false.
    Switch,
    /// Text.
    Text,
    /// A path.
    Path,
    /// Whole numbers, separated by commas on the command line.
    Wholes,
    /// Texts, separated by commas on the command line.
    Texts,
    /// One of several names, each with lines of help.
    Choice(&'static [(&'static str, &'static [&'static str])]),
    /// Text that a function checks. Its error is the expectation.
    Parsed(fn(&str) -> Result<(), String>),
}

impl Setting {
    /// A setting without a place, which counts in all comparisons.
    pub const fn new(key: &'static str, help: &'static [&'static str], kind: Kind) -> Self {
        Setting { key, help, value: None, place: None, ignored_by: &[], kind }
    }

    /// The help as one paragraph.
    pub fn help_text(&self) -> String {
        paragraph(self.help)
    }
}

/// The lines of a doc comment as one paragraph.
pub fn paragraph(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// A type of a setting's value.
pub trait SettingValue {
    /// Its kind.
    const KIND: Kind;
}

macro_rules! kinds {
    ($($type:ty: $kind:ident,)*) => { $(impl SettingValue for $type { const KIND: Kind = Kind::$kind; })* };
}

kinds! {
    usize: Whole,
    u64: Whole,
    f64: Number,
    bool: Switch,
    String: Text,
    std::path::PathBuf: Path,
    Vec<usize>: Wholes,
    Vec<String>: Texts,
}

/// A choice between names.
pub trait Choice: SettingValue + Copy + Send + Sync + Sized + 'static {
    /// All values with their names in config files, in checkpoints and on the command line.
    const ALL: &'static [(Self, &'static str)];

    /// The value of a name.
    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(value, _)| *value)
    }
}

/// Declares an enum whose values have names: in config files and checkpoints through serde, on the command line through
/// [`Kind::Choice`]. `enum Name default Value { … }` sets a default.
#[macro_export]
macro_rules! choices {
    (
        $(#[$attribute:meta])* $visibility:vis enum $Name:ident $(default $Default:ident)? {
            $($(#[doc = $doc:literal])+ $Value:ident = $name:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        $visibility enum $Name {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $Value,)+
        }

        $(
            impl Default for $Name {
                fn default() -> Self {
                    $Name::$Default
                }
            }
        )?

        impl $crate::internals::setting::SettingValue for $Name {
            const KIND: $crate::internals::setting::Kind = $crate::setting::Kind::Choice(&[$(($name, &[$($doc),+])),+]);
        }

        impl $crate::internals::setting::Choice for $Name {
            const ALL: &'static [(Self, &'static str)] = &[$(($Name::$Value, $name)),+];
        }

        impl $Name {
            /// Name in config files, in checkpoints and on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $($Name::$Value => $name,)+
                }
            }
        }
    };
}
