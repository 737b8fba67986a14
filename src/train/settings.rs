//! One list of settings per verb: from it come the resolved config, the overrides that a TOML file
//! and the command line both fill, the defaults and the known keys.

/// Declares a verb's settings once.
///
/// `optional` settings may stay unset; `values` have a default. The doc comment of a setting is also
/// its help text on the command line; `#[arg(...)]` adds to clap's attributes. Made are:
/// - `$Config`: every setting resolved, with `Default`, `KEYS` and `merge(&[first, then, ...])`;
/// - `$Overrides`: every setting an `Option`, both `clap::Args` (long flags) and `Deserialize`.
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
        #[derive(Debug, Clone, Default, PartialEq, clap::Args, serde::Deserialize)]
        #[command(allow_negative_numbers = true)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Overrides {
            /// TOML file with settings; flags win over it.
            #[arg(long, value_name = "FILE")]
            #[serde(skip)]
            pub config: Option<std::path::PathBuf>,
            $( $(#[doc = $odoc])* #[arg(long)] $(#[arg($($oarg)*)])? pub $okey: Option<$otype>, )*
            $( $(#[doc = $doc])* #[arg(long)] $(#[arg($($arg)*)])? pub $key: Option<$type>, )*
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
pub(crate) use settings;
