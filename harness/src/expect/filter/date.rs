//! Dates: parsed and written by `strftime` formats, counted in days.

use jiff::{Timestamp, civil, fmt::strtime, tz::TimeZone};

use super::{Stuck, Value, refused};
use crate::expect::shown;

const ISO_8601: &str = "%+"; // the one directive of C's and chrono's family that the library lacks
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// A date with an offset is that instant; without one it is UTC; without a time it is midnight.
pub(super) fn parse(text: &str, format: &str) -> Result<Value, Stuck> {
    let parsed = if format == ISO_8601 { text.parse().ok() } else { parse_by(text, format) };
    parsed.map(Value::Date).ok_or_else(|| refused(format!("a date like `{format}`"), shown(&text.into())))
}

fn parse_by(text: &str, format: &str) -> Option<Timestamp> {
    let parts = strtime::parse(format, text).ok()?;
    if parts.offset().is_some() {
        return parts.to_timestamp().ok();
    }
    let date = parts.to_date().ok()?;
    // A format with a date alone has no time to be read.
    let time = parts.to_datetime().map_or_else(|_| civil::Time::midnight(), |parsed| parsed.time());
    date.to_datetime(time).to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

pub(super) fn format(at: Timestamp, format: &str) -> Result<Value, Stuck> {
    let utc = at.to_zoned(TimeZone::UTC);
    let written = match format {
        ISO_8601 => strtime::format("%Y-%m-%dT%H:%M:%S%.f%:z", &utc),
        _ => strtime::format(format, &utc),
    };
    written.map(Value::text).map_err(|error| refused("a `strftime` format", format!("`{format}`: {error}")))
}

/// Whole days between two instants; what is left of a day does not count.
pub(super) fn days(from: Timestamp, to: Timestamp) -> Value {
    Value::Json(((to.as_second() - from.as_second()) / DAY_SECONDS).into())
}
