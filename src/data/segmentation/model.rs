//! Masks read for a trained model, whose class names may give the values or the colors of masks.

use super::class_list::{ClassList, voc_color};
use super::coding::Coding;
use super::raw::Samples;
use super::seen::Seen;

/// The coding by the classes of a model, if the names of these come from the values or colors of its masks, and these
/// masks hold no others. A set may lack classes of the model, because nothing is learned from it.
pub(super) fn coding(seen: &Seen, classes: &[String]) -> Option<Coding> {
    let source = "the classes of the model".to_string();
    let list = |palette| ClassList { names: classes.to_vec(), palette, ignored: "nothing".into(), source };
    if let Some(colors) = classes.iter().map(|name| color_of(name)).collect::<Option<Vec<[u8; 3]>>>() {
        if !seen.all_colors().each().all(|color| colors.contains(color)) {
            return None;
        }
        let of_color = colors.iter().zip(0..).map(|(&color, id)| (color, id)).collect();
        let coding = Coding::by_values(list(colors), &[], &[]);
        return Some(Coding {
            values: None,
            colors: Some(of_color),
            samples: Samples::Colors,
            is_said: true,
            ..coding
        });
    }
    let values = values_of(classes)?;
    let held = seen.values.clone().plus(seen.greys.clone()).present();
    if !seen.colors.is_empty() || seen.links.clash().is_some() || !held.iter().all(|value| values.contains(value)) {
        return None;
    }
    let palette = (0..classes.len()).map(|id| voc_color(id as u8)).collect();
    let coding = Coding::by_values(list(palette), &values, &[]);
    Some(Coding { colors: None, is_said: true, ..coding })
}

/// The color in the name of a class of masks of colors, such as `#ff0000`.
fn color_of(name: &str) -> Option<[u8; 3]> {
    let digits = name.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    let [_, r, g, b] = number.to_be_bytes();
    Some([r, g, b])
}

/// The values of classes that are named by them, such as `class 1` and `value 128`, or of background and foreground.
fn values_of(classes: &[String]) -> Option<Vec<u8>> {
    if let [first, second] = classes
        && (first.as_str(), second.as_str()) == ("background", "foreground")
    {
        return Some(vec![0, 255]);
    }
    let value = |name: &String| name.strip_prefix("class ").or(name.strip_prefix("value "))?.parse::<u8>().ok();
    classes.iter().map(value).collect()
}
