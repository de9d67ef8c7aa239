//! Cookies that a response sets: their values and attributes.

use std::{borrow::Cow, fmt};

use cookie_store::RawCookie;
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use super::{Mismatch, Predicates, Response, Value};
use crate::text::{Placed, RenderError, Scope, Text};

/// What a cookie has beside its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Value,
    Expires,
    MaxAge,
    Domain,
    Path,
    Secure,
    HttpOnly,
    SameSite,
}

impl Attribute {
    const ALL: [(&'static str, Self); 8] = [
        ("value", Self::Value),
        ("expires", Self::Expires),
        ("max_age", Self::MaxAge),
        ("domain", Self::Domain),
        ("path", Self::Path),
        ("secure", Self::Secure),
        ("http_only", Self::HttpOnly),
        ("same_site", Self::SameSite),
    ];

    /// `Max-Age`, `max_age` and `maxage` are one.
    fn named(name: &str) -> Option<Self> {
        let plain = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_ascii_lowercase();
        let wanted = plain(name);
        Self::ALL.iter().find(|(known, _)| plain(known) == wanted).map(|(_, attribute)| *attribute)
    }

    fn of(self, cookie: &RawCookie<'_>) -> Option<Value> {
        match self {
            Self::Value => Some(Value::text(cookie.value())),
            Self::Expires => {
                let at = cookie.expires_datetime()?;
                Timestamp::from_second(at.unix_timestamp()).ok().map(Value::Date)
            }
            Self::MaxAge => cookie.max_age().map(|age| Value::Json(age.whole_seconds().into())),
            Self::Domain => cookie.domain().map(Value::text),
            Self::Path => cookie.path().map(Value::text),
            Self::Secure => cookie.secure().filter(|set| *set).map(|set| Value::Json(set.into())),
            Self::HttpOnly => cookie.http_only().filter(|set| *set).map(|set| Value::Json(set.into())),
            Self::SameSite => cookie.same_site().map(|same_site| Value::text(same_site.to_string())),
        }
    }
}

/// `session`, or `session[Max-Age]`.
#[derive(Clone, Debug)]
pub(crate) struct CookieText {
    text: Text,
    name: Text,
    attribute: Attribute,
}

impl CookieText {
    pub(super) fn new(text: Text) -> Result<Self, String> {
        let parts = text.strip_suffix(']').and_then(|inner| inner.rsplit_once('['));
        let (name, attribute) = match parts {
            None => (text.value.clone(), Attribute::Value),
            Some((name, attribute)) => {
                let known = Attribute::ALL.map(|(name, _)| name).join(", ");
                let unknown = || format!("unknown attribute `{attribute}` of a cookie, expected one of {known}");
                (name.to_owned(), Attribute::named(attribute).ok_or_else(unknown)?)
            }
        };
        Ok(Self { name: Placed { value: name, place: text.place }, text, attribute })
    }

    pub(super) fn written(&self) -> &str {
        &self.text
    }
}

pub(super) fn find(response: &Response, wanted: &CookieText, scope: &Scope) -> Result<Option<Value>, RenderError> {
    let name = scope.text(&wanted.name)?;
    Ok(set(response, &name).and_then(|cookie| wanted.attribute.of(&cookie)))
}

fn set<'a>(response: &'a Response, name: &str) -> Option<RawCookie<'a>> {
    response.header("set-cookie").filter_map(|line| RawCookie::parse(line).ok()).find(|cookie| cookie.name() == name)
}

/// `{contains: x}` on the value, or `{value: …, path: /, secure: true}` on the attributes.
#[derive(Clone, Debug)]
pub(crate) struct CookieExpect(Vec<(Attribute, Predicates)>);

impl CookieExpect {
    pub(crate) fn check(&self, name: &str, response: &Response, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let cookie = set(response, name);
        let mut found = Vec::new();
        for (attribute, predicates) in &self.0 {
            let got = cookie.as_ref().and_then(|cookie| match attribute {
                // A flag that is not set is false, so that `secure: false` can be asked for.
                Attribute::Secure | Attribute::HttpOnly => {
                    Some(attribute.of(cookie).unwrap_or(Value::Json(false.into())))
                }
                _ => attribute.of(cookie),
            });
            let subject = match attribute {
                Attribute::Value => format!("cookie {name}"),
                other => format!("cookie {name}[{}]", other.as_str()),
            };
            found.extend(predicates.check_value(&subject, got.as_ref(), scope)?);
        }
        Ok(found)
    }
}

impl Attribute {
    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

impl<'de> Deserialize<'de> for CookieExpect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Placed::<Written>::deserialize(deserializer)?;
        Ok(match written.value {
            Written::Plain(text) => {
                Self(vec![(Attribute::Value, Predicates::plain(Placed { value: text, place: written.place }))])
            }
            Written::Map(attributes) => Self(attributes),
        })
    }
}

enum Written {
    Plain(String),
    Map(Vec<(Attribute, Predicates)>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueOrMap;

        impl<'de> Visitor<'de> for ValueOrMap {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, predicates, or attributes like {value: x, path: /, secure: true}")
            }

            fn visit_str<E>(self, value: &str) -> Result<Written, E> {
                Ok(Written::Plain(value.to_owned()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Written, E> {
                Ok(Written::Plain(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Written, E> {
                Ok(Written::Plain(value.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let (mut attributes, mut of_value) = (Vec::new(), Predicates::default());
                while let Some(name) = map.next_key::<Placed<String>>()? {
                    match Attribute::ALL.iter().find(|(known, _)| *known == name.as_str()) {
                        Some((_, attribute)) => attributes.push((*attribute, map.next_value()?)),
                        None => of_value.read_entry::<A>(&name, &mut map)?,
                    }
                }
                if !of_value.is_empty() {
                    attributes.push((Attribute::Value, of_value));
                }
                if attributes.is_empty() {
                    return Err(A::Error::custom("an empty map checks nothing; write {exists: true}"));
                }
                Ok(Written::Map(attributes))
            }
        }
        deserializer.deserialize_any(ValueOrMap)
    }
}

impl JsonSchema for CookieExpect {
    fn schema_name() -> Cow<'static, str> {
        "CookieExpectation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let predicates = generator.subschema_for::<Predicates>();
        let attributes = Attribute::ALL.map(|(name, _)| (name, predicates.clone().to_value()));
        let map = Predicates::object_schema(generator, &attributes, &[]);
        json_schema!({ "anyOf": [{ "type": ["string", "number"] }, map] })
    }
}

#[cfg(test)]
mod tests {
    use located::Source;

    use super::{CookieExpect, Mismatch, Response};
    use crate::text::Scope;

    fn check(yaml: &str) -> Vec<String> {
        let expect: CookieExpect =
            located::yaml(&Source::new("a.yaml", yaml)).unwrap_or_else(|error| panic!("{error}"));
        let line = "session=a1; Path=/; Max-Age=60; HttpOnly; SameSite=Strict".to_owned();
        let response = Response { headers: vec![("Set-Cookie".to_owned(), line)], ..Response::default() };
        let found = expect.check("session", &response, &Scope::default()).unwrap();
        found.iter().map(Mismatch::message).collect()
    }

    #[test]
    fn a_cookie_is_checked_by_value_predicates_or_attributes() {
        for yaml in [
            "a1",
            "{starts_with: a}",
            "{value: a1, path: /, max_age: 60, secure: false, http_only: true, same_site: Strict, domain: {exists: false}}",
            "{max_age: {gte: 60}, length: 2}",
        ] {
            assert_eq!(check(yaml), Vec::<String>::new(), "{yaml}");
        }
        assert_eq!(
            check("{value: b, secure: true}"),
            ["cookie session: expected \"b\", got \"a1\"", "cookie session[secure]: expected \"true\", got false"]
        );
    }
}
