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
    /// Kind of its value.
    pub kind: Kind,
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
            #[allow(clippy::derivable_impls, reason = "the default is an argument of the macro")]
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
