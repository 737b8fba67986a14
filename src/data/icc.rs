//! Color profiles in image files. Their values are read as sRGB; profiles of other color spaces are named.

/// Bytes of a profile's header, and the number of its tags after it.
const HEADER: usize = 132;
/// Bytes of an entry in the list of tags: name, place, length.
const ENTRY: usize = 12;

/// The description of an RGB profile that is not sRGB; `None` for sRGB, for grey and CMYK, and for bytes that are not a
/// profile.
pub(crate) fn other_than_srgb(profile: &[u8]) -> Option<String> {
    if profile.get(36..40)? != b"acsp" || profile.get(16..20)? != b"RGB " {
        return None;
    }
    let name = description(profile).unwrap_or_else(|| "without a name".into());
    let is_srgb = name.to_lowercase().replace([' ', '-', '_'], "").contains("srgb");
    (!is_srgb).then_some(name)
}

/// The text of the tag `desc`: ASCII in profiles of version 2, UTF-16 in those of version 4.
fn description(profile: &[u8]) -> Option<String> {
    let number = |at: usize| Some(u32::from_be_bytes(profile.get(at..at + 4)?.try_into().ok()?) as usize);
    let count = number(HEADER - 4)?.min(100);
    let entry = (0..count).map(|k| HEADER + k * ENTRY).find(|at| profile.get(*at..at + 4) == Some(b"desc"))?;
    let at = number(entry + 4)?;
    let text = match profile.get(at..at.checked_add(4)?)? {
        b"desc" => {
            let length = number(at + 8)?.min(200);
            String::from_utf8_lossy(profile.get(at + 12..at + 12 + length)?).into_owned()
        }
        b"mluc" => {
            let (length, place) = (number(at + 20)?.min(400), number(at + 24)?);
            let units = profile.get(at.checked_add(place)?..)?.get(..length)?.as_chunks::<2>().0;
            char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).flatten().collect()
        }
        _ => return None,
    };
    let text = text.trim_matches(|c: char| c.is_control() || c.is_whitespace()).to_string();
    (!text.is_empty()).then_some(text)
}
