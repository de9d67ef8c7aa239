//! A length of time as people write it: `200ms`, `5s`, `2m`, `1h`, `30d`.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Period(pub(crate) Duration);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("`{text}` is no length of time; write a whole number and ms, s, m, h or d, like 200ms");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| refused())?;
        let unit_ms = match text[digits..].trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(refused()),
        };
        number.checked_mul(unit_ms).map(Duration::from_millis).map(Self).ok_or_else(refused)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            ms if ms > 0 && ms.is_multiple_of(60_000) => write!(f, "{}m", ms / 60_000),
            ms if ms > 0 && ms.is_multiple_of(1_000) => write!(f, "{}s", ms / 1_000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d)$", "examples": ["200ms", "5s", "2m"] })
    }
}

#[cfg(test)]
mod tests {
    use super::Period;

    #[test]
    fn what_is_written_is_what_is_shown() {
        for text in ["0ms", "200ms", "5s", "2m", "90s"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("1h".parse::<Period>().unwrap().to_string(), "60m");
        assert_eq!("1d".parse::<Period>().unwrap(), "24h".parse().unwrap());
    }

    #[test]
    fn a_bare_number_and_an_overflow_are_refused() {
        for text in ["5", "", "s", "-1s", "1.5s", "5 days", "99999999999999999999s", "18446744073709551615h"] {
            assert!(text.parse::<Period>().unwrap_err().contains("no length of time"), "{text}");
        }
    }
}
