//! Ultralytics' `data.yaml`: names of the classes, and the images of the parts.

use std::path::{Component, Path, PathBuf};

use yaml_rust2::{Yaml, YamlLoader};

use crate::data::DataError;
use crate::data::parts::Part;
use crate::data::text::read_text;

/// The entries of a data file.
#[derive(Debug)]
pub(super) struct DataYaml {
    pub path: PathBuf,
    /// Names of the classes, from class 0.
    pub names: Vec<String>,
    /// Folders and lists of the images of a part, as they are written.
    pub parts: Vec<(Part, Vec<String>)>,
}

impl DataYaml {
    /// Reads a data file.
    ///
    /// # Errors
    /// Where it is not YAML, has no names of classes, contradicts itself, or describes keypoints.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let wrong = |problem: &str| DataError::malformed(path, problem);
        let text = read_text(path)?;
        let documents = YamlLoader::load_from_str(&text)
            .map_err(|error| wrong(&format!("is not YAML: {error}; correct that line")))?;
        let root = documents.into_iter().next().unwrap_or(Yaml::BadValue);
        if !root["kpt_shape"].is_badvalue() {
            let problem = "has the entry kpt_shape: its labels are boxes and keypoints, not polygons; export polygons";
            return Err(wrong(problem));
        }
        let names = names(&root["names"]).map_err(wrong)?;
        if let Some(count) = root["nc"].as_i64().filter(|&count| count != names.len() as i64) {
            let problem = format!("says nc: {count}, but names {} classes; correct nc or the names", names.len());
            return Err(wrong(&problem));
        }
        let of_part = |(key, part): (&str, Part)| Some((part, texts(&root[key])?));
        let parts = [("train", Part::Train), ("val", Part::Val), ("test", Part::Test)];
        let parts = parts.into_iter().filter_map(of_part).collect();
        Ok(Self { path: path.to_path_buf(), names, parts })
    }
}

/// A list of names, or numbered names from 0 on.
fn names(entry: &Yaml) -> Result<Vec<String>, &'static str> {
    const WRONG: &str = "has no readable entry 'names'; expected a list of class names";
    match entry {
        Yaml::Array(names) if !names.is_empty() => names.iter().map(|name| text(name).ok_or(WRONG)).collect(),
        Yaml::Hash(names) if !names.is_empty() => {
            let numbered = names.iter().map(|(key, name)| Some((key.as_i64()?, text(name)?)));
            let mut numbered: Vec<(i64, String)> = numbered.collect::<Option<_>>().ok_or(WRONG)?;
            numbered.sort();
            if numbered.iter().zip(0..).any(|((number, _), place)| *number != place) {
                return Err("numbers its names with gaps; expected 0, 1, 2 and so on");
            }
            Ok(numbered.into_iter().map(|(_, name)| name).collect())
        }
        _ => Err(WRONG),
    }
}

/// One text, or a list of them.
fn texts(entry: &Yaml) -> Option<Vec<String>> {
    match entry {
        Yaml::Array(entries) => entries.iter().map(text).collect(),
        Yaml::String(one) if !one.trim().is_empty() => Some(vec![one.trim().to_string()]),
        _ => None,
    }
}

/// A scalar as it is written: YAML reads names such as `1` and `yes` as other types.
fn text(entry: &Yaml) -> Option<String> {
    match entry {
        Yaml::String(text) | Yaml::Real(text) => Some(text.clone()),
        Yaml::Integer(number) => Some(number.to_string()),
        Yaml::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The path below the folder of the set that an entry names. Ultralytics' entries start at another folder (`path`, or
/// Roboflow's `../train/images`), or are paths of another machine: the longest ending that exists counts.
pub(super) fn below(root: &Path, entry: &str) -> Option<PathBuf> {
    let entry = entry.replace('\\', "/");
    let names: Vec<_> = Path::new(&entry)
        .components()
        .filter_map(|part| if let Component::Normal(name) = part { Some(name.to_os_string()) } else { None })
        .collect();
    let ending = |from: usize| names[from..].iter().fold(root.to_path_buf(), |path, name| path.join(name));
    (0..names.len()).map(ending).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DataYaml, DataError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.yaml");
        std::fs::write(&path, text).unwrap();
        DataYaml::read(&path)
    }

    #[test]
    fn names_are_read_in_each_notation() {
        for text in [
            "train: images/train\nnames:\n  0: cat\n  1: 'big, dog'\nnc: 2\n",
            "names:\n- cat\n- big, dog # remark\nnc: 2\n",
            "nc: 2\nnames: ['cat', \"big, dog\"]  # two\n",
            "names: [cat,\n  'big, dog']\n",
            "names: {1: \"big, dog\", 0: cat}\r\n",
        ] {
            assert_eq!(read(text).unwrap().names, ["cat", "big, dog"], "{text}");
        }
        assert_eq!(read("names: ['cat''s', yes, 10, 2.50]\n").unwrap().names, ["cat's", "yes", "10", "2.50"]);
        for (text, told) in [
            ("names:\n  0: cat\n  2: dog\n", "gaps"),
            ("nc: 2\n", "'names'"),
            ("nc: 3\nnames: [cat, dog]\n", "nc: 3, but names 2"),
            ("names: [cat]\nkpt_shape: [3, 2]\n", "keypoints"),
            ("names: [cat\n", "not YAML"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn parts_are_one_path_or_several() {
        let yaml = read("train: [images/a, images/b]\nval: images/c\ntest:\nnames: [cat]\n").unwrap();
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(yaml.parts, [(Part::Train, texts(&["images/a", "images/b"])), (Part::Val, texts(&["images/c"]))]);
        let dir = tempfile::tempdir().unwrap();
        let images = dir.path().join("train/images");
        std::fs::create_dir_all(&images).unwrap();
        for entry in
            ["train/images", "../train/images", "./train/images/", "/home/me/set/train/images", "x\\train\\images"]
        {
            assert_eq!(below(dir.path(), entry).as_ref(), Some(&images), "{entry}");
        }
        assert_eq!(below(dir.path(), "../valid/images"), None);
    }
}
