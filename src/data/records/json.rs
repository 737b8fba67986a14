//! JSON objects with all their entries, and JSON Lines as tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The entries of an object in their order, with repeated keys. A map would silently keep the last entry of a key.
pub(in crate::data) struct Entries(pub Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A key, and the number of equal keys before it in its object.
type Key = (String, usize);

impl Entries {
    fn by_key(self) -> BTreeMap<Key, Value> {
        let mut entries = BTreeMap::new();
        for (key, value) in self.0 {
            let count = entries.range((key.clone(), 0)..=(key.clone(), usize::MAX)).count();
            entries.insert((key, count), value);
        }
        entries
    }
}

/// The objects of a JSON array, one a line; `None` for text of another form.
pub(in crate::data) fn lines_of_array(text: &str) -> Option<String> {
    let objects: Vec<serde_json::Map<String, Value>> = serde_json::from_str(text).ok()?;
    let lines: Option<Vec<String>> = objects.iter().map(|object| serde_json::to_string(object).ok()).collect();
    lines.map(|lines| lines.join("\n")).filter(|lines| !lines.is_empty())
}

/// The lines of a JSON Lines file as a table: a column for each key of any line, without those whose values are
/// objects. A key that stands in a line twice has two columns. `None` for text of another form.
pub(super) fn table_of_lines(text: &str) -> Option<String> {
    let rows: Result<Vec<Entries>, _> =
        text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect();
    let rows: Vec<BTreeMap<Key, Value>> = rows.ok()?.into_iter().map(Entries::by_key).collect();
    let entries = rows.iter().flatten().filter(|(_, value)| !value.is_object());
    let keys: BTreeSet<&Key> = entries.map(|(key, _)| key).collect();
    let cell = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut csv = csv::Writer::from_writer(vec![]);
    csv.write_record(keys.iter().map(|(key, _)| key)).ok()?;
    for row in &rows {
        csv.write_record(keys.iter().map(|key| cell(row.get(*key)))).ok()?;
    }
    String::from_utf8(csv.into_inner().ok()?).ok()
}
