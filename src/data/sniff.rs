//! Recognizes files without decoder by their first bytes, with a remedy.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{tiff, truncation};

/// A kind of file without decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub name: &'static str,
    /// The remedy.
    pub remedy: &'static str,
}

/// Number of bytes that [`kind_of`] reads.
pub(crate) const LENGTH: usize = 64;

const CONVERT: &str = "convert it with `magick FILE out.png` (ImageMagick)";
const HEIF: &str = "convert it with `heif-convert FILE out.png` (libheif)";
const RAW: &str = "develop it with `darktable-cli FILE out.png` or `dcraw -w -T FILE`";
const NO_IMAGE: &str = "it is no image; remove it";

const MAGIC: [(&[u8], Kind); 12] = [
    (b"8BPS", Kind { name: "a Photoshop document", remedy: CONVERT }),
    (b"\x76\x2f\x31\x01", Kind { name: "an OpenEXR image", remedy: CONVERT }),
    (b"qoif", Kind { name: "a QOI image", remedy: CONVERT }),
    (b"DDS ", Kind { name: "a DDS texture", remedy: CONVERT }),
    (b"\0\0\x01\0", Kind { name: "a Windows icon", remedy: CONVERT }),
    (b"\xff\x0a", Kind { name: "a JPEG XL image", remedy: "convert it with `djxl FILE out.png` (libjxl)" }),
    (b"\0\0\0\x0cJXL ", Kind { name: "a JPEG XL image", remedy: "convert it with `djxl FILE out.png` (libjxl)" }),
    (b"\0\0\0\x0cjP  ", Kind { name: "a JPEG 2000 image", remedy: CONVERT }),
    (b"\xff\x4f\xff\x51", Kind { name: "a JPEG 2000 image", remedy: CONVERT }),
    (b"#?RADIANCE", Kind { name: "a Radiance HDR image", remedy: CONVERT }),
    (b"%PDF", Kind { name: "a PDF document", remedy: "convert it with `pdftoppm -png FILE out`" }),
    (
        b"version https://git-lfs",
        Kind { name: "a Git LFS pointer instead of the file itself", remedy: "fetch the files with `git lfs pull`" },
    ),
];

/// A file that holds many files or arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Container {
    pub name: &'static str,
    /// The remedy.
    pub remedy: &'static str,
    /// Whether it holds files, to be unpacked.
    pub is_packed: bool,
}

const fn packed(name: &'static str) -> Container {
    Container { name, remedy: "unpack it", is_packed: true }
}

const fn arrays(name: &'static str) -> Container {
    Container { name, remedy: "write its images to PNG files", is_packed: false }
}

/// Place of the first bytes of containers, these bytes, and the kind.
const CONTAINERS: [(usize, &[u8], Container); 18] = [
    (0, b"PK\x03\x04", packed("a ZIP archive")),
    (0, b"\x1f\x8b", packed("a gzip file")),
    (0, b"BZh", packed("a bzip2 file")),
    (0, b"\xfd7zXZ", packed("an XZ file")),
    (0, b"\x28\xb5\x2f\xfd", packed("a Zstandard file")),
    (0, b"Rar!", packed("a RAR archive")),
    (0, b"7z\xbc\xaf", packed("a 7-Zip archive")),
    (257, b"ustar", packed("a tar archive")),
    (0, b"PAR1", arrays("a Parquet file")),
    (0, b"ARROW1", arrays("an Arrow file")),
    (0, b"\x89HDF", arrays("an HDF5 file")),
    (0, b"MATLAB", arrays("a MATLAB file")),
    (0, b"\x93NUMPY", arrays("a NumPy array")),
    (0, b"SQLite", arrays("an SQLite database")),
    (0, b"\x80\x02", arrays("a Python pickle")),
    (0, b"\x80\x03", arrays("a Python pickle")),
    (0, b"\x80\x04", arrays("a Python pickle")),
    (0, b"\x80\x05", arrays("a Python pickle")),
];

/// The container that starts with `bytes`.
pub(crate) fn container_of(bytes: &[u8]) -> Option<Container> {
    let starts = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|bytes| bytes.starts_with(magic));
    CONTAINERS.iter().find(|(at, magic, _)| starts(*at, magic)).map(|(.., kind)| *kind)
}

/// Whether a file is regular, readable, and starts as an image that has a decoder.
pub(crate) fn is_image(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let file = path.is_file().then(|| File::open(path).ok()).flatten();
    let read = file.is_some_and(|file| file.take(LENGTH as u64).read_to_end(&mut bytes).is_ok());
    read && image::guess_format(&bytes).is_ok()
}

/// The kind of a file that starts with `bytes`; `None` if they do not decide it.
pub(crate) fn kind_of(bytes: &[u8]) -> Option<Kind> {
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(*kind);
    }
    if let Some(Container { name, remedy, .. }) = container_of(bytes) {
        return Some(Kind { name, remedy });
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(match bytes.get(8..12)? {
            b"avif" | b"avis" => {
                Kind { name: "an AVIF image", remedy: "convert it with `avifdec FILE out.png` (libavif)" }
            }
            b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" | b"heim" => Kind { name: "a HEIC image", remedy: HEIF },
            b"crx " => Kind { name: "a camera's raw image", remedy: RAW },
            _ => Kind { name: "a video", remedy: "extract its frames with `ffmpeg -i FILE frame-%05d.png`" },
        });
    }
    if let [b'P', b'1'..=b'7', blank, ..] = bytes
        && blank.is_ascii_whitespace()
    {
        return Some(Kind { name: "a portable pixmap (PBM, PGM or PPM)", remedy: CONVERT });
    }
    let text = String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').trim_start().to_lowercase();
    if text.starts_with("<svg") || (text.starts_with("<?xml") && text.contains("<svg")) {
        return Some(Kind { name: "an SVG drawing", remedy: "convert it with `rsvg-convert FILE -o out.png`" });
    }
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        let remedy = "the download failed; download the image again";
        return Some(Kind { name: "an HTML page instead of an image", remedy });
    }
    if text.starts_with("<?xml") || text.starts_with('{') || text.starts_with('[') {
        return Some(Kind { name: "a text file", remedy: NO_IMAGE });
    }
    None
}

/// The variant of a JPEG or TIFF file without decoder; `None` for other variants.
pub(crate) fn variant_of(bytes: &[u8]) -> Option<Kind> {
    const TO_16_BITS: &str = "scale its values to 8 or 16 bits and save it as PNG";
    const JPEG: &str =
        "convert it with `djpeg FILE > out.ppm` and `magick out.ppm out.png`, or save it as baseline JPEG";
    if tiff::pages(bytes) > 0 {
        let name = match (tiff::tag(bytes, tiff::SAMPLE_FORMAT), tiff::tag(bytes, tiff::BITS)) {
            (Some(3), _) => "a TIFF of floats",
            (Some(2), _) => "a TIFF of numbers with a sign",
            (_, Some(17..)) => "a TIFF of more than 16 bits a sample",
            _ if tiff::tag(bytes, tiff::PHOTOMETRIC) == Some(3) => {
                return Some(Kind { name: "a TIFF with a palette", remedy: CONVERT });
            }
            _ if tiff::tag(bytes, tiff::PHOTOMETRIC) == Some(6) => {
                return Some(Kind { name: "a TIFF of YCbCr colors", remedy: CONVERT });
            }
            _ if tiff::tag(bytes, tiff::PHOTOMETRIC).is_some_and(|colors| (8..=10).contains(&colors)) => {
                return Some(Kind { name: "a TIFF of L*a*b* colors", remedy: CONVERT });
            }
            _ if tiff::tag(bytes, tiff::SAMPLES) == Some(2) => {
                return Some(Kind { name: "a TIFF of grey and alpha", remedy: CONVERT });
            }
            // No compression, LZW, JPEG, both forms of deflate, and PackBits.
            _ if tiff::tag(bytes, tiff::COMPRESSION)
                .is_some_and(|kind| ![1, 5, 7, 8, 32_946, 32_773].contains(&kind)) =>
            {
                let remedy = "save it with LZW or without compression, such as with `gdal_translate -co COMPRESS=LZW FILE out.tif` or \
                              `tiffcp -c lzw FILE out.tif`";
                return Some(Kind { name: "a TIFF of a compression without decoder, such as Zstandard", remedy });
            }
            _ if tiff::tag(bytes, tiff::PHOTOMETRIC).is_some_and(|colors| colors < 2)
                && tiff::tag(bytes, tiff::SAMPLES).is_some_and(|samples| samples > 2) =>
            {
                let remedy = "write three bands as colors, such as with `gdal_translate -b 1 -b 2 -b 3 -co PHOTOMETRIC=RGB FILE out.tif`";
                return Some(Kind { name: "a TIFF of several bands that are no colors", remedy });
            }
            _ if tiff::tag(bytes, tiff::SAMPLES).is_some_and(|samples| samples > 4) => {
                let remedy =
                    "write three or four of its bands, such as with `gdal_translate -b 1 -b 2 -b 3 FILE out.tif`";
                return Some(Kind { name: "a TIFF of more than four channels", remedy });
            }
            _ => return None,
        };
        return Some(Kind { name, remedy: TO_16_BITS });
    }
    let frame = truncation::jpeg_frame(bytes)?;
    let name = match frame.marker {
        0xC3 | 0xC7 | 0xCB | 0xCF => "a lossless JPEG",
        0xC9..=0xCE => "a JPEG with arithmetic coding",
        _ if frame.bits != 8 => "a JPEG of 12 bits a sample",
        _ => return None,
    };
    Some(Kind { name, remedy: JPEG })
}

/// Extensions of images without decoder. Reports name such files when they are left out.
const UNREAD: [&str; 27] = [
    "ppm", "pgm", "pbm", "pnm", "tga", "ico", "cur", "svg", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf",
    "raw", "psd", "psb", "xcf", "exr", "hdr", "qoi", "dds", "dcm", "npy", "pcx",
];

/// Whether an extension is that of an image without decoder.
pub(crate) fn is_unread(extension: &str) -> bool {
    UNREAD.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// Extensions of files that may hold images of a set: archives, arrays and records.
const PACKED: [&str; 16] = [
    "zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", "npz", "mat", "h5", "hdf5", "parquet", "arrow",
    "tfrecord",
];

/// Whether an extension is that of a file that may hold images of a set.
pub(crate) fn is_packed(extension: &str) -> bool {
    PACKED.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn kinds_are_told_by_their_first_bytes() {
        for (bytes, name) in [
            (b"\0\0\0\x18ftypheic\0\0\0\0".as_slice(), "HEIC"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
            (b"P6\n40 32\n255\n", "PPM"),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=", "SVG"),
            (b"\xef\xbb\xbf<svg>", "SVG"),
            (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
            (b"<!DOCTYPE html><html>", "HTML"),
        ] {
            assert!(kind_of(bytes).unwrap().name.contains(name), "{name}");
        }
        assert_eq!(kind_of(b"P6x"), None);
        assert_eq!(kind_of(b""), None);
    }
}
