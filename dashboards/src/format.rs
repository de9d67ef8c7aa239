//! Numbers and instants as people read them. Pure; templates reach these as filters.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

/// Longer texts are cut on a page; the raw log has them whole.
const TEXT_SHOWN_CHARS_MAX: usize = 24_000; // a few hundred lines: what a person scrolls through at most

pub(crate) fn percent(fraction: f64) -> String {
    // Rounded towards doubt: 79.6 % must not read as the 80 % it misses, nor 99.9 % as all.
    format!("{:.0}\u{a0}%", (fraction * 100.0 + 1e-9).floor())
}

/// A difference of two fractions, in percentage points with its sign.
pub(crate) fn points(difference: f64) -> String {
    let rounded = (difference * 100.0).round();
    match rounded {
        0.0 => "0".to_owned(),
        up if up > 0.0 => format!("+{up:.0}"),
        down => format!("−{:.0}", down.abs()),
    }
}

/// `840 ms`, `4.2 s`, `3 min 08 s`, `2 h 05 min`.
#[expect(clippy::cast_precision_loss, reason = "only durations below a minute are divided")]
pub(crate) fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..=9 => format!("{:.1} s", ms as f64 / 1000.0),
        10..=59 => format!("{s} s"),
        60..=3599 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// `12,480`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `20 Nov 2026, 13:02 UTC`.
pub(crate) fn instant(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// `13:02:07.120`.
pub(crate) fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S.%3f").to_string()
}

/// `just now`, `4 min ago`, `3 h ago`, `2 d ago`.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(at).as_mins();
    match minutes {
        ..=0 => "just now".to_owned(),
        1..=59 => format!("{minutes} min ago"),
        60..=1439 => format!("{} h ago", minutes / 60),
        _ => format!("{} d ago", minutes / 1440),
    }
}

/// JSON for reading: a string as it is, everything else indented.
pub(crate) fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => clip(text),
        other => clip(&serde_json::to_string_pretty(other).unwrap_or_else(|_| other.to_string())),
    }
}

/// Cuts a text in its middle, and says so.
pub(crate) fn clip(text: &str) -> String {
    let chars = text.chars().count();
    if chars <= TEXT_SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    let half = TEXT_SHOWN_CHARS_MAX / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(chars - half).collect();
    format!(
        "{head}\n… {} characters are not shown here; the event log has them …\n{tail}",
        count((chars - 2 * half) as u64)
    )
}

/// One path segment of a URL.
pub(crate) fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_that_misses_a_target_never_reads_as_if_it_reached_it() {
        assert_eq!(percent(0.796), "79\u{a0}%");
        assert_eq!(percent(0.999), "99\u{a0}%");
        assert_eq!(percent(0.29), "29\u{a0}%", "binary fractions do not lose a point");
        assert_eq!(percent(1.0), "100\u{a0}%");
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(
            [duration(840), duration(4_200), duration(188_000), duration(7_500_000)],
            ["840 ms", "4.2 s", "3 min 08 s", "2 h 05 min"]
        );
        assert_eq!([points(0.124), points(-0.05), points(0.001)], ["+12", "−5", "0"]);
    }

    #[test]
    fn a_long_text_is_cut_in_the_middle_and_says_so() {
        let text = "ä".repeat(TEXT_SHOWN_CHARS_MAX + 10);
        let cut = clip(&text);
        assert!(cut.contains("10 characters are not shown here"), "{}", &cut[..80]);
        assert!(cut.chars().count() < text.chars().count() + 100);
    }

    #[test]
    fn a_segment_cannot_leave_its_place_in_a_path() {
        assert_eq!(segment("a/../b?c#d é"), "a%2F..%2Fb%3Fc%23d%20%C3%A9");
    }
}
