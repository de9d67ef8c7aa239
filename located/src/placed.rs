//! A value together with its place, as a reader hands it over to a type that asks for both.
//!
//! The reader of YAML answers the newtype [`PLACED`] with a map: a mark, `value`, `referenced` (the location), and more
//! that nobody here needs and nobody here decodes: there is one for each value. A reader of values in memory answers with
//! [`VALUE`] and [`PLACE`].

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use crate::Place;

/// The newtype by which a type asks for a value with its place.
pub const PLACED: &str = "__yaml_spanned";
/// The field of an answer that holds the value.
pub const VALUE: &str = "value";
/// The field of an answer that holds the place, as `[line, column, width]`.
pub const PLACE: &str = "place";

const REFERENCED: &str = "referenced"; // where it is used, which is not where it is anchored

/// Reads a value and its place.
///
/// # Errors
/// What the value does not fit, and that the reader knows no places.
pub fn placed<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<(T, Place), D::Error> {
    from.deserialize_newtype_struct(PLACED, Asked(PhantomData))
}

struct Asked<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Asked<T> {
    type Value = (T, Place);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_struct("Placed", &[VALUE, PLACE], self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut value = None;
        while let Some(field) = map.next_key::<Field>()? {
            let place = match field {
                Field::Value => {
                    value = Some(map.next_value()?);
                    continue;
                }
                Field::Place => {
                    let (line, column, width) = map.next_value()?;
                    Place { line, column, width }
                }
                Field::Referenced => map.next_value::<Referenced>()?.0,
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // What else a reader has to say is not listened to.
            return value.map(|value| (value, place)).ok_or_else(|| A::Error::missing_field(VALUE));
        }
        Err(A::Error::missing_field(PLACE))
    }
}

/// Of an answer, and of the location inside one.
enum Field {
    Value,
    Place,
    Referenced,
    Other,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E>(self, name: &str) -> Result<Field, E> {
                Ok(match name {
                    VALUE => Field::Value,
                    PLACE => Field::Place,
                    REFERENCED => Field::Referenced,
                    _ => Field::Other,
                })
            }
        }
        from.deserialize_identifier(Name)
    }
}

/// The location of the reader of YAML: `{line, column, span: {offset, len, …}, …}`, in this order.
struct Referenced(Place);

impl<'de> Deserialize<'de> for Referenced {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Referenced;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a location")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Referenced, A::Error> {
                let line = entry(&mut map, "line")?;
                let column = entry(&mut map, "column")?;
                let Width(width) = entry(&mut map, "span")?;
                let or_one = |n: u64| usize::try_from(n).unwrap_or(1).max(1);
                Ok(Referenced(Place { line: or_one(line), column: or_one(column), width: or_one(width) }))
            }
        }
        from.deserialize_struct("Location", &["line", "column", "span"], Fields)
    }
}

struct Width(u64);

impl<'de> Deserialize<'de> for Width {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Width;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a span")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Width, A::Error> {
                entry::<u64, A>(&mut map, "offset")?;
                entry(&mut map, "len").map(Width)
            }
        }
        from.deserialize_struct("Span", &["offset", "len"], Fields)
    }
}

/// The next entry, which must be the named one.
fn entry<'de, T: Deserialize<'de>, A: MapAccess<'de>>(map: &mut A, name: &'static str) -> Result<T, A::Error> {
    struct Is(&'static str);

    impl<'de> serde::de::DeserializeSeed<'de> for Is {
        type Value = bool;

        fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
            from.deserialize_identifier(self)
        }
    }

    impl Visitor<'_> for Is {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E>(self, name: &str) -> Result<bool, E> {
            Ok(name == self.0)
        }
    }
    match map.next_key_seed(Is(name))? {
        Some(true) => map.next_value(),
        Some(false) | None => Err(A::Error::missing_field(name)),
    }
}
