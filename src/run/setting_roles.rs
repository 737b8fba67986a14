//! The roles that settings of a task have in verdicts, in doubts, and in the choice of settings that fit data and device. A rule knows
//! the settings that all tasks share by their keys, and those of a task by these roles.

/// The roles of a task's settings. A role without a setting belongs to no rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettingRoles {
    /// Holds if the loss of training is another one than that of validation.
    pub other_training_loss: Option<Condition>,
    /// Holds if the loss is cross entropy, in which all samples count alike.
    pub plain_cross_entropy: Option<Condition>,
    /// Weights of the classes of pixels in the loss.
    pub class_weights: Option<Switch>,
    /// Softer targets.
    pub smoothing: Option<Smoothing>,
    /// Settings that ask for less confidence if they are above 0.
    pub less_confidence: &'static [&'static str],
    /// The loss and the weights of colors.
    pub colors: Option<ColorRoles>,
    /// The size of the network's images.
    pub input: Option<InputRoles>,
    /// Normalization of pixels.
    pub normalization: Option<Switch>,
    /// Networks that can start from published weights; the first whose condition holds counts.
    pub encoders: &'static [EncoderRoles],
    /// Holds if the network is a ResNet, which has a usual learning rate.
    pub resnet: Option<Condition>,
    /// The width of a UNet.
    pub width: Option<WidthRoles>,
}

/// A setting with the value that does nothing and the value that helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// Key.
    pub key: &'static str,
    /// The value that does nothing.
    pub off: &'static str,
    /// The value that helps.
    pub on: &'static str,
}

/// A share of the targets that is spread over all classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smoothing {
    /// Key.
    pub key: &'static str,
    /// Holds if the loss does not take smoothed targets.
    pub refused: Condition,
}

/// Settings of a network that predicts colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColorRoles {
    /// Key and value of the loss that chooses among colors instead of predicting their mean.
    pub by_class: (&'static str, &'static str),
    /// Key of the weight of rare colors, from 0 to 1.
    pub rare: &'static str,
}

/// Settings of the image size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputRoles {
    /// Key of the size: a number for squares, else text.
    pub size: &'static str,
    /// Key of the side of a picture of which the middle square is cut, a limit on the size.
    pub resize: Option<&'static str>,
    /// Key of the size of random crops, which replace the size.
    pub crop: Option<&'static str>,
    /// Holds if squares need at least the side at which a ResNet ends in a map of 2×2 pixels.
    pub large: Option<Condition>,
}

/// A network whose encoder can start from published weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderRoles {
    /// Holds if the run has this network.
    pub when: Condition,
    /// Settings that give it such an encoder: keys and values.
    pub with: &'static [(&'static str, &'static str)],
    /// Settings that have no effect with that encoder.
    pub without: &'static [&'static str],
}

/// The width of a UNet with its own encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WidthRoles {
    /// Key of the channels at the first level.
    pub key: &'static str,
    /// Holds if the network has this setting.
    pub when: Condition,
}

/// A condition on settings: each key with its values, of which the setting has one. An empty value stands for a setting without a value,
/// and `resnet*` for all values that begin with `resnet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition(pub &'static [(&'static str, &'static [&'static str])]);

impl Condition {
    /// Whether settings meet it.
    pub fn holds(&self, settings: &toml::Table) -> bool {
        let is = |text: &str, value: &str| match value.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => text == value,
        };
        self.0.iter().all(|(key, values)| {
            let text = text(settings, key);
            values.iter().any(|value| is(&text, value))
        })
    }
}

/// A setting as text; empty if there is no such setting.
pub(crate) fn text(settings: &toml::Table, key: &str) -> String {
    match settings.get(key) {
        None => String::new(),
        Some(toml::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Whether settings meet a condition that a task may not have.
pub(crate) fn holds(condition: Option<Condition>, settings: &toml::Table) -> bool {
    condition.is_some_and(|condition| condition.holds(settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_holds_if_each_setting_has_one_of_its_values() {
        let of_resnet = Condition(&[("model", &["resnet*", "vgg"]), ("stem", &["", "imagenet"])]);
        for (settings, holds) in [
            ("model = \"resnet18\"", true),
            ("model = \"vgg\"\nstem = \"imagenet\"", true),
            ("model = \"vgg16\"", false),
            ("model = \"resnet18\"\nstem = \"cifar\"", false),
            ("", false),
        ] {
            assert_eq!(of_resnet.holds(&toml::from_str(settings).expect("TOML")), holds, "{settings}");
        }
    }
}
