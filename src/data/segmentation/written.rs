//! Reads entries that have two forms. Errors of serde's untagged enums name neither entry nor expectation.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// A class in a file.
#[derive(Default)]
pub(super) struct WrittenClass {
    pub name: String,
    pub color: Option<Rgb>,
    pub value: Option<Byte>,
}

/// A label without blanks around it.
pub(super) fn label<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let label = String::deserialize(from)?;
    match label.trim() {
        "" => Err(D::Error::custom("a label is empty; name its class")),
        trimmed => Ok(trimmed.to_string()),
    }
}

/// A value of a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Byte(pub u8);

/// A color: red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rgb(pub [u8; 3]);

impl<'de> Deserialize<'de> for Byte {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let expected = "a whole number from 0 to 255";
        let value = from.deserialize_any(Values { expected })?;
        match value.as_slice() {
            [value] => Ok(Self(*value)),
            several => Err(D::Error::invalid_length(several.len(), &expected)),
        }
    }
}

impl<'de> Deserialize<'de> for Rgb {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let expected = "red, green and blue, each from 0 to 255, such as [128, 64, 128]";
        let values = from.deserialize_any(Values { expected })?;
        <[u8; 3]>::try_from(values.as_slice()).map(Self).map_err(|_| D::Error::invalid_length(values.len(), &expected))
    }
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
    from.deserialize_any(Values { expected: "a value from 0 to 255, or a list of them" })
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

    /// Each error names its key, which the derived code does not.
    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<WrittenClass, A::Error> {
        let (mut name, mut class) = (None, WrittenClass::default());
        while let Some(key) = table.next_key::<String>()? {
            let read = match key.as_str() {
                "name" => table.next_value().map(|value| name = Some(value)),
                "color" | "colour" => table.next_value().map(|value| class.color = value),
                "value" => table.next_value().map(|value| class.value = value),
                _ => return Err(A::Error::unknown_field(&key, &["name", "color", "colour", "value"])),
            };
            read.map_err(|e| A::Error::custom(format_args!("{key}: {e}")))?;
        }
        name.map(|name| WrittenClass { name, ..class }).ok_or_else(|| A::Error::missing_field("name"))
    }
}

struct Values {
    expected: &'static str,
}

impl<'de> Visitor<'de> for Values {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
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
        while let Some(value) = list.next_element::<i64>()? {
            let byte = u8::try_from(value).map_err(|_| A::Error::invalid_value(Unexpected::Signed(value), &self))?;
            values.push(byte);
        }
        Ok(values)
    }
}
