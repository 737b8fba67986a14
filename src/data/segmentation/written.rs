//! Reads entries that have two forms. Errors of serde's untagged enums name neither entry nor expectation.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// A class in a file.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenClass {
    pub name: String,
    #[serde(alias = "colour")]
    pub color: Option<[u8; 3]>,
    pub value: Option<u8>,
}

impl WrittenClass {
    pub(super) fn named(name: String) -> Self {
        Self { name, ..Self::default() }
    }
}

/// Classes, each a name or a table. An error names the entry, from 1.
pub(super) fn classes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<WrittenClass>, D::Error> {
    from.deserialize_seq(Classes)
}

/// One value, or a list of them.
pub(super) fn values<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    from.deserialize_any(Values)
}

struct Classes;

impl<'de> Visitor<'de> for Classes {
    type Value = Vec<WrittenClass>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of classes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut classes = Vec::new();
        loop {
            let next = list.next_element::<Entry>();
            match next.map_err(|e| A::Error::custom(format_args!("class {}: {e}", classes.len() + 1)))? {
                Some(Entry(class)) => classes.push(class),
                None => return Ok(classes),
            }
        }
    }
}

struct Entry(WrittenClass);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Class).map(Self)
    }
}

struct Class;

impl<'de> Visitor<'de> for Class {
    type Value = WrittenClass;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a table of name, color and value")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<WrittenClass, E> {
        Ok(WrittenClass::named(name.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<WrittenClass, A::Error> {
        WrittenClass::deserialize(MapAccessDeserializer::new(table))
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value from 0 to 255, or a list of them")
    }

    /// JSON's null.
    fn visit_unit<E: Error>(self) -> Result<Vec<u8>, E> {
        Ok(Vec::new())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Vec<u8>, E> {
        let value = u8::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))?;
        Ok(vec![value])
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Vec<u8>, E> {
        let value = u8::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))?;
        Ok(vec![value])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}
