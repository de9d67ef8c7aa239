//! How a text is written: without quotes, in quotes, or as a block.

use std::fmt::Write as _;

/// The mark and the lines of a block text, for a text of several lines that fits one.
pub(super) fn literal(text: &str) -> Option<(&'static str, Vec<&str>)> {
    let is_plain = |c: char| c == '\n' || c == '\t' || is_printable(c);
    let body = text.strip_suffix('\n');
    let (mark, body) = (if body.is_some() { "|" } else { "|-" }, body.unwrap_or(text));
    // Leading space would set the indentation, more line breaks at the end need other marks.
    let fits =
        text.chars().all(is_plain) && !body.is_empty() && !body.ends_with('\n') && !body.starts_with([' ', '\t', '\n']);
    fits.then(|| (mark, body.split('\n').collect()))
}

fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Context {
    Block,
    Flow,
}

/// A text without quotes where it stays a text, else in the quotes that need fewer escapes.
pub(super) fn scalar(text: &str, context: Context) -> String {
    if is_plain_scalar(text, context) {
        return text.to_owned();
    }
    let fits_single = text.chars().all(is_printable) && !text.contains('\'');
    if fits_single && text.contains(['"', '\\']) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a string");
            }
        }
    }
    out.push('"');
    out
}

fn is_plain_scalar(text: &str, context: Context) -> bool {
    const WORDS: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "~", "nan", "inf", ".nan", ".inf"];
    if is_period(text) {
        return true;
    }
    let Some(first) = text.chars().next() else { return false };
    let begins = first.is_alphabetic() || "/$_^.(".contains(first) && (first != '.' || text.len() > 1);
    let inner = |c: char| match context {
        Context::Block => is_printable(c) && c != '#',
        Context::Flow => is_printable(c) && !"#,[]{}".contains(c),
    };
    let is_date = text.chars().all(|c| c.is_ascii_digit() || c == '-' || c == ':');
    begins
        && text.chars().all(inner)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains('"')
        && !WORDS.contains(&text.to_lowercase().as_str())
        && !text.contains("{{")
        && text.parse::<f64>().is_err()
        && !is_date
}

/// `200ms`, `2xx`: begins like a number and is none.
fn is_period(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < text.len() && ["ms", "s", "m", "h", "d", "xx"].contains(&unit)
}
