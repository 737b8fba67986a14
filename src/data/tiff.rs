//! The directories of a TIFF: one per page, each a list of tags.

/// Largest number of counted pages. Directories may form a circle.
const MOST: usize = 10_000;

/// Tag of the meaning of samples; 3 is an index into a palette.
pub(crate) const PHOTOMETRIC: u64 = 262;
/// Tag of the compression.
pub(crate) const COMPRESSION: u64 = 259;
/// Tag of the meaning of samples beyond the colors: 1 for an alpha that the colors are multiplied by, 2 for one that
/// they are not.
pub(crate) const EXTRA_SAMPLES: u64 = 338;
/// Tag of the number of samples of a pixel.
pub(crate) const SAMPLES: u64 = 277;
/// Tag of the bits of a sample.
pub(crate) const BITS: u64 = 258;
/// Tag of the kind of a sample: 1 for unsigned integers, 2 for signed ones, 3 for floats.
pub(crate) const SAMPLE_FORMAT: u64 = 339;

/// A file with the header of a TIFF or BigTIFF.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
    is_big: bool,
}

impl<'a> Tiff<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let tiff = Self { bytes, is_little, is_big: false };
        match tiff.number(2, 2)? {
            42 => Some(tiff),
            43 => Some(Self { is_big: true, ..tiff }),
            _ => None,
        }
    }

    /// The number in the `length` bytes at `at`.
    fn number(&self, at: u64, length: usize) -> Option<u64> {
        let field = self.bytes.get(usize::try_from(at).ok()?..)?.get(..length)?;
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if self.is_little { field.iter().rev().fold(0, add) } else { field.iter().fold(0, add) })
    }

    /// The offset at `at`; `None` for 0.
    fn offset(&self, at: u64) -> Option<u64> {
        self.number(at, if self.is_big { 8 } else { 4 }).filter(|offset| *offset > 0)
    }

    /// Offset of the first directory.
    fn first(&self) -> Option<u64> {
        self.offset(if self.is_big { 8 } else { 4 })
    }

    /// Offset of the first tag of a directory, number of tags, and bytes of each.
    fn tags(&self, directory: u64) -> Option<(u64, u64, u64)> {
        let (count, entry) = if self.is_big { (8, 20) } else { (2, 12) };
        Some((directory.checked_add(count as u64)?, self.number(directory, count)?, entry))
    }

    fn next(&self, directory: u64) -> Option<u64> {
        let (start, count, entry) = self.tags(directory)?;
        self.offset(start.checked_add(count.checked_mul(entry)?)?)
    }
}

/// Number of pages of a TIFF or BigTIFF; 0 for other files.
pub(crate) fn pages(bytes: &[u8]) -> usize {
    let Some(tiff) = Tiff::of(bytes) else { return 0 };
    std::iter::successors(tiff.first(), |directory| tiff.next(*directory)).take(MOST).count()
}

/// The first value of a 16-bit tag of the first page.
pub(crate) fn tag(bytes: &[u8], wanted: u64) -> Option<u64> {
    let tiff = Tiff::of(bytes)?;
    let (start, count, entry) = tiff.tags(tiff.first()?)?;
    let at = (0..count.min(1 << 16)).map(|k| start + k * entry).find(|at| tiff.number(*at, 2) == Some(wanted))?;
    let (values, field, inline) = if tiff.is_big { (8, at + 12, 4) } else { (4, at + 8, 2) };
    // Values that do not fit into the entry are stored elsewhere.
    let is_inline = tiff.number(at + 4, values)? <= inline;
    tiff.number(if is_inline { field } else { tiff.offset(field)? }, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_counted() {
        let two = [b"II\x2a\0\x08\0\0\0".as_slice(), b"\0\0\x0e\0\0\0", b"\0\0\0\0\0\0"].concat();
        assert_eq!(pages(&two), 2);
        let endless = [b"MM\0\x2a\0\0\0\x08".as_slice(), b"\0\0\0\0\0\x08"].concat();
        assert_eq!(pages(&endless), MOST);
        assert_eq!([pages(b"II\x2a\0"), pages(b"\xff\xd8"), pages(b"")], [0; 3]);
    }

    #[test]
    fn tags_are_found() {
        let entry = [b"\x53\x01\x03\0\x01\0\0\0\x03\0\0\0".as_slice(), b"\0\0\0\0"].concat();
        let file = [b"II\x2a\0\x08\0\0\0\x01\0".as_slice(), &entry].concat();
        assert_eq!((tag(&file, SAMPLE_FORMAT), tag(&file, BITS)), (Some(3), None));
    }

    #[test]
    fn values_elsewhere_and_tags_of_the_first_page_are_found() {
        let entry = |count: u8, value: u8| [2, 1, 3, 0, count, 0, 0, 0, value, 0, 0, 0];
        // Two pages, at 8 and 26: samples of 16 bits in the first, of 8 in the second.
        let two =
            [b"II\x2a\0\x08\0\0\0\x01\0".as_slice(), &entry(1, 16), &[26, 0, 0, 0], &[1, 0], &entry(1, 8), &[0; 4]];
        assert_eq!((pages(&two.concat()), tag(&two.concat(), BITS)), (2, Some(16)));
        // The three values lie at 26.
        let rgb = [b"II\x2a\0\x08\0\0\0\x01\0".as_slice(), &entry(3, 26), &[0; 4], &[8, 0, 8, 0, 8, 0]].concat();
        assert_eq!(tag(&rgb, BITS), Some(8));
    }

    #[test]
    fn a_big_tiff_has_long_offsets() {
        let number = |value: u64| value.to_le_bytes();
        let entry = [[2, 1, 3, 0].as_slice(), &number(1), &[12, 0, 0, 0, 0, 0, 0, 0]].concat();
        let head = [b"II\x2b\0\x08\0\0\0".as_slice(), &number(16)].concat();
        let file =
            [head, number(1).to_vec(), entry, number(52).to_vec(), number(0).to_vec(), number(0).to_vec()].concat();
        assert_eq!((pages(&file), tag(&file, BITS)), (2, Some(12)));
    }
}
