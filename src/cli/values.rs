//! Names on the command line of settings that lower floors own. They are those of config files, which serde reads.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::data::ColorSpace;
use crate::nn::{Decoder, Stem, Up};
use crate::precision::Precision;

macro_rules! values {
    ($($setting:ty { $($value:ident $name:literal $help:literal)* })*) => {
        $(impl ValueEnum for $setting {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(<$setting>::$value),*]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(<$setting>::$value => PossibleValue::new($name).help($help),)*
                })
            }
        })*
    };
}

values! {
    Stem {
        ImageNet "imagenet" "As published: 7×7 convolution with stride 2, then 3×3 max pooling with stride 2"
        Cifar "cifar" "For small images: 3×3 convolution with stride 1, no pooling"
    }
    Decoder {
        Fcn32s "fcn32s" "One step of 32 from the last stage: 64×64 kernel"
        Fcn8s "fcn8s" "Steps of 2, 2 and 8, adding scores made from stages 3 and 2"
    }
    Up {
        Transposed "transposed" "2×2 transposed convolution of stride 2, as published"
        Bilinear "bilinear" "1×1 convolution to half the channels, then bilinear interpolation"
    }
    Precision {
        F32 "f32" "32 bits everywhere"
        F16 "f16" "16 bits for activations and their gradients, on devices that can; 32 for all else"
    }
    ColorSpace {
        Lab "lab" "The two color axes of CIELAB over 110"
        Rgb "rgb" "Red, green and blue from -1 to 1"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree<T: ValueEnum + serde::Serialize>() {
        for value in T::value_variants() {
            let named = value.to_possible_value().expect("no value is hidden").get_name().to_owned();
            assert_eq!(serde_json::to_value(value).expect("a name"), named);
        }
    }

    #[test]
    fn names_are_those_of_config_files() {
        agree::<Stem>();
        agree::<Decoder>();
        agree::<Up>();
        agree::<Precision>();
        agree::<ColorSpace>();
    }
}
