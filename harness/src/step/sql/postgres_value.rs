//! A value of Postgres as JSON.
//!
//! | Postgres | JSON |
//! |---|---|
//! | `bool`, `int2/4/8`, `oid` | as they are |
//! | `float4/8`, `numeric` | a number where it is exact in 15 digits; otherwise a text |
//! | `text` and its kin, enums, `uuid`, `inet` | a text |
//! | `json`, `jsonb` | the document |
//! | `timestamptz` | RFC 3339 in UTC: `2026-01-02T03:04:05.6Z` |
//! | `timestamp`, `date`, `time` | ISO 8601 without a zone |
//! | `bytea` | hexadecimal digits |
//! | arrays of one dimension | an array |
//!
//! Anything else is refused, with the advice to cast it to text.

use std::{error::Error, net::IpAddr};

use jiff::{Timestamp, civil};
use serde_json::{Number, Value as Json};
use tokio_postgres::types::{FromSql, Kind, Type};
use uuid::Uuid;

type Failure = Box<dyn Error + Sync + Send>;

const EXACT_DIGITS_MAX: usize = 15; // what a double holds of any decimal number

/// A value that is not null.
pub(super) struct Cell(pub(super) Json);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        json(kind, raw).map(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn json(kind: &Type, raw: &[u8]) -> Result<Json, Failure> {
    Ok(match *kind {
        Type::BOOL => bool::from_sql(kind, raw)?.into(),
        Type::INT2 => i16::from_sql(kind, raw)?.into(),
        Type::INT4 => i32::from_sql(kind, raw)?.into(),
        Type::INT8 => i64::from_sql(kind, raw)?.into(),
        Type::OID => u32::from_sql(kind, raw)?.into(),
        Type::FLOAT4 => decimal(&f32::from_sql(kind, raw)?.to_string()),
        Type::FLOAT8 => {
            let number = f64::from_sql(kind, raw)?;
            Number::from_f64(number).map_or_else(|| number.to_string().into(), Json::Number)
        }
        Type::NUMERIC => decimal(&numeric(raw)?),
        Type::JSON | Type::JSONB => Json::from_sql(kind, raw)?,
        Type::UUID => Uuid::from_sql(kind, raw)?.to_string().into(),
        Type::BYTEA => hex::encode(raw).into(),
        Type::TIMESTAMPTZ => Timestamp::from_sql(kind, raw)?.to_string().into(),
        Type::TIMESTAMP => civil::DateTime::from_sql(kind, raw)?.to_string().into(),
        Type::DATE => civil::Date::from_sql(kind, raw)?.to_string().into(),
        Type::TIME => civil::Time::from_sql(kind, raw)?.to_string().into(),
        Type::INET => IpAddr::from_sql(kind, raw)?.to_string().into(),
        Type::VOID => Json::Null,
        _ if <&str as FromSql>::accepts(kind) => <&str>::from_sql(kind, raw)?.into(),
        _ => match kind.kind() {
            Kind::Enum(_) => std::str::from_utf8(raw)?.into(),
            Kind::Domain(inner) => json(inner, raw)?,
            Kind::Array(_) => {
                let cells = Vec::<Option<Cell>>::from_sql(kind, raw)?;
                cells.into_iter().map(|cell| cell.map_or(Json::Null, |cell| cell.0)).collect()
            }
            _ => return Err(format!("the type `{kind}` is not read here: cast it, as in `column::text`").into()),
        },
    })
}

/// A decimal number as a number, where that loses nothing.
fn decimal(text: &str) -> Json {
    let digits = text.chars().filter(char::is_ascii_digit).collect::<String>();
    let significant = digits.trim_start_matches('0').len();
    let whole = text.parse::<i64>().ok().map(Number::from);
    let exact = || text.parse().ok().filter(|_| significant <= EXACT_DIGITS_MAX).and_then(Number::from_f64);
    whole.or_else(exact).map_or_else(|| text.into(), Json::Number)
}

/// The binary form: digits to the base 10000, the weight of the first, a sign, and how many decimals are shown.
fn numeric(raw: &[u8]) -> Result<String, Failure> {
    const POSITIVE: u16 = 0x0000;
    const NEGATIVE: u16 = 0x4000;
    let field = |n: usize| raw.get(2 * n..2 * n + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let header = || Some((field(0)?, field(1)?.cast_signed(), field(2)?, usize::from(field(3)?)));
    let (count, weight, sign, scale) = header().ok_or("a numeric value is cut off")?;
    match sign {
        POSITIVE | NEGATIVE => {}
        0xd000 => return Ok("Infinity".to_owned()),
        0xf000 => return Ok("-Infinity".to_owned()),
        _ => return Ok("NaN".to_owned()),
    }
    let group = |position: i32| {
        let n = i32::from(weight) - position;
        let digit = usize::try_from(n).ok().filter(|n| *n < usize::from(count)).and_then(|n| field(4 + n));
        format!("{:04}", digit.unwrap_or(0))
    };
    let whole: String = (0..=i32::from(weight).max(0)).rev().map(group).collect();
    let groups = i32::try_from(scale.div_ceil(4))?;
    let mut decimals: String = (1..=groups).map(|n| group(-n)).collect();
    decimals.truncate(scale);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let minus = if sign == NEGATIVE { "-" } else { "" };
    let point = if decimals.is_empty() { "" } else { "." };
    Ok(format!("{minus}{whole}{point}{decimals}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{decimal, numeric};

    #[test]
    fn numbers_stay_exact_or_become_text() {
        assert_eq!(decimal("12.50"), json!(12.5));
        assert_eq!(decimal("-7"), json!(-7));
        assert_eq!(decimal("9007199254740993"), json!(9_007_199_254_740_993_i64));
        assert_eq!(decimal("0.1234567890123456"), json!("0.1234567890123456"));
        assert_eq!(decimal("123456789012345678901"), json!("123456789012345678901"));
        assert_eq!(decimal("NaN"), json!("NaN"));
        assert_eq!(decimal("Infinity"), json!("Infinity"));
    }

    #[test]
    fn a_cut_off_numeric_is_refused() {
        assert!(numeric(&[0, 1, 0]).is_err());
        assert_eq!(numeric(&[0, 0, 0, 0, 0, 0, 0, 2]).unwrap(), "0.00");
    }
}
