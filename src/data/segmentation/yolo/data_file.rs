//! `data.yaml`: the class names of a YOLO set, and the folders or lists of its parts.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::IgnoredAny};

use crate::data::listing::{entries, name_of, stem_of};
use crate::data::parts::Part;
use crate::data::text::read_text;
use crate::data::{DataError, names::quoted};

/// Largest file in bytes. A file of ten thousand class names is smaller.
const MAX_BYTES: usize = 1 << 20;

/// The content of a data file.
#[derive(Debug)]
pub(super) struct DataFile {
    pub path: PathBuf,
    pub names: Vec<String>,
    /// The entry `path`.
    pub home: Option<String>,
    /// The folders and lists of each part that has an entry.
    pub places: Vec<(Part, Vec<String>)>,
}

#[derive(Deserialize)]
struct Written {
    path: Option<String>,
    #[serde(default)]
    train: Places,
    #[serde(default, alias = "valid", alias = "validation")]
    val: Places,
    #[serde(default)]
    test: Places,
    nc: Option<u64>,
    names: Option<Names>,
    kpt_shape: Option<IgnoredAny>,
}

/// A path, or a list of them.
#[derive(Default)]
struct Places(Vec<String>);

/// A list of names, or names with their numbers.
enum Names {
    List(Vec<String>),
    Numbered(Vec<(u64, String)>),
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Expected;
        impl<'de> Visitor<'de> for Expected {
            type Value = Places;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a list of paths")
            }

            fn visit_unit<E: Error>(self) -> Result<Places, E> {
                Ok(Places::default())
            }

            fn visit_none<E: Error>(self) -> Result<Places, E> {
                Ok(Places::default())
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Places, E> {
                Ok(Places(if path.is_empty() { Vec::new() } else { vec![path.into()] }))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Places, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Ok(Places(paths))
            }
        }
        from.deserialize_any(Expected)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Expected;
        impl<'de> Visitor<'de> for Expected {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of class names, or class names with their numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Names::List(names))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    names.push(entry);
                }
                Ok(Names::Numbered(names))
            }
        }
        from.deserialize_any(Expected)
    }
}

/// The YAML files directly in `root`.
///
/// # Errors
/// Where the folder cannot be listed.
pub(super) fn yaml_files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let is_yaml = |path: &PathBuf| {
        path.extension().is_some_and(|e| ["yaml", "yml"].iter().any(|known| e.eq_ignore_ascii_case(known)))
    };
    Ok(entries(root)?.into_iter().filter(is_yaml).collect())
}

/// The data file in `root`: `data.yaml`, else the only YAML file with the entry `names`.
///
/// # Errors
/// Where it cannot be read, contradicts itself, or another file has other names.
pub(super) fn find(root: &Path) -> Result<Option<DataFile>, DataError> {
    let files = yaml_files(root)?;
    let data: Vec<&PathBuf> = files.iter().filter(|path| stem_of(path) == "data").collect();
    match data.as_slice() {
        [] => {}
        [path] => {
            let file = read(path)?;
            require_same_names(&file, &files)?;
            return Ok(Some(file));
        }
        [first, second, ..] => {
            let problem = format!("holds {} and {}; keep one of them", name_of(first), name_of(second));
            return Err(DataError::malformed(root, problem));
        }
    }
    let mut named = Vec::new();
    for path in files {
        if names_classes(&path)? {
            named.push(path);
        }
    }
    match named.as_slice() {
        [] => Ok(None),
        [path] => read(path).map(Some),
        [first, second, ..] => {
            let problem = format!(
                "{} and {} both name classes; keep one of them, or call it data.yaml",
                name_of(first),
                name_of(second)
            );
            Err(DataError::malformed(root, problem))
        }
    }
}

fn names_classes(path: &Path) -> Result<bool, DataError> {
    Ok(read_text(path)?.lines().any(|line| line.starts_with("names:")))
}

/// Refuses data files among `others` that name other classes than `file`.
fn require_same_names(file: &DataFile, others: &[PathBuf]) -> Result<(), DataError> {
    for path in others.iter().filter(|path| **path != file.path) {
        if names_classes(path)? && read(path)?.names != file.names {
            let own = name_of(&file.path);
            return Err(DataError::malformed(
                path,
                format!("names other classes than {own}; remove or correct one of the two"),
            ));
        }
    }
    Ok(())
}

/// Reads the data file at `path`.
///
/// # Errors
/// Where it is no YAML, names no classes, or describes keypoints.
pub(super) fn read(path: &Path) -> Result<DataFile, DataError> {
    let wrong = |problem: String| DataError::malformed(path, problem);
    let text = read_text(path)?;
    if text.len() > MAX_BYTES {
        return Err(wrong(format!("has {} bytes; the limit of a data file is {MAX_BYTES}", text.len())));
    }
    let written: Written = serde_saphyr::from_str(&text).map_err(|error| {
        let message = error.to_string();
        wrong(format!("is not as YOLO's data file: {}", message.lines().next().unwrap_or_default()))
    })?;
    if written.kpt_shape.is_some() {
        let problem = "has kpt_shape: its labels are boxes with keypoints, not polygons; export a segmentation set";
        return Err(wrong(problem.into()));
    }
    let names = match written.names {
        Some(Names::List(names)) => names,
        Some(Names::Numbered(mut names)) => {
            names.sort();
            if names.iter().enumerate().any(|(at, (number, _))| at as u64 != *number) {
                return Err(wrong("numbers its names with gaps; expected 0, 1, 2 and so on".into()));
            }
            names.into_iter().map(|(_, name)| name).collect()
        }
        None => Vec::new(),
    };
    if names.is_empty() {
        return Err(wrong("has no readable entry 'names'; expected a list of class names".into()));
    }
    if let Some(count) = written.nc.filter(|count| *count != names.len() as u64) {
        let problem =
            format!("says nc: {count}, but names {} classes ({}); correct one of the two", names.len(), quoted(&names));
        return Err(wrong(problem));
    }
    let places = [(Part::Train, written.train), (Part::Val, written.val), (Part::Test, written.test)];
    let places = places.into_iter().map(|(part, Places(paths))| (part, paths));
    let places = places.filter(|(_, paths)| !paths.is_empty()).collect();
    Ok(DataFile { path: path.to_path_buf(), names, home: written.path, places })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_each_notation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.yaml");
        let names = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).map(|file| file.names)
        };
        for text in [
            "train: images/train\nnames:\n  0: cat\n  1: 'big dog'\nnc: 2\n",
            "names:\n- cat\n- big dog\nnc: 2\n",
            "nc: 2\nnames: ['cat', \"big dog\"]  # two\n",
            "names: [cat,\n  big dog]\n",
            "names: {1: big dog, 0: cat}\r\n",
            "%YAML 1.2\n---\nnames: !!seq\n  - cat # one\n  - big dog\nroboflow:\n  version: 1\n",
        ] {
            assert_eq!(names(text).unwrap(), ["cat", "big dog"], "{text}");
        }
        assert_eq!(names("names: {0: cat, 1: \"dog, big\"}\n").unwrap(), ["cat", "dog, big"]);
        assert!(names("names: ['cat''s', \"a \\\"b\\\"\", no, 7, a: b]\n").is_err());
        assert_eq!(
            names("names: ['cat''s', \"a \\\"b\\\"\", no, 7, 'a: b']\n").unwrap(),
            ["cat's", "a \"b\"", "no", "7", "a: b"]
        );
        for (text, part) in [
            ("names:\n  0: cat\n  2: dog\n", "gaps"),
            ("nc: 2\n", "'names'"),
            ("nc: 3\nnames: [cat, dog]\n", "nc: 3, but names 2 classes"),
            ("kpt_shape: [3, 2]\nnames: [cat]\n", "keypoints"),
            ("names: [cat\n", "data file"),
            ("names: cat\n", "list of class names"),
        ] {
            let message = names(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn parts_are_paths_or_lists_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.yaml");
        let text = "path: ../x # root\ntrain: [images/a, images/b]\nval: images/c\ntest: # none\nnames: [cat]\n";
        std::fs::write(&path, text).unwrap();
        let file = read(&path).unwrap();
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = [(Part::Train, words(&["images/a", "images/b"])), (Part::Val, words(&["images/c"]))];
        assert_eq!((file.home.as_deref(), file.places), (Some("../x"), expected.to_vec()));
    }
}
