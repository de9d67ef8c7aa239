//! The section `[Options]`.

use super::{
    ast::{EntryOption, OptionValue, VariableValue},
    body::number,
    scan::{Parsed, Scanner},
};

/// What an option takes.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Integer,
    Duration,
    Text,
    File,
    Variable,
}

const OPTIONS: [(&str, Kind); 48] = [
    ("aws-sigv4", Kind::Text),
    ("cacert", Kind::File),
    ("cert", Kind::File),
    ("compressed", Kind::Bool),
    ("connect-timeout", Kind::Duration),
    ("connect-to", Kind::Text),
    ("delay", Kind::Duration),
    ("digest", Kind::Bool),
    ("fail-with-body", Kind::Bool),
    ("header", Kind::Text),
    ("http1.0", Kind::Bool),
    ("http1.1", Kind::Bool),
    ("http2", Kind::Bool),
    ("http2-prior-knowledge", Kind::Bool),
    ("http3", Kind::Bool),
    ("insecure", Kind::Bool),
    ("ipv4", Kind::Bool),
    ("ipv6", Kind::Bool),
    ("key", Kind::File),
    ("limit-rate", Kind::Integer),
    ("location", Kind::Bool),
    ("location-trusted", Kind::Bool),
    ("max-redirs", Kind::Integer),
    ("max-time", Kind::Duration),
    ("negotiate", Kind::Bool),
    ("netrc", Kind::Bool),
    ("netrc-file", Kind::Text),
    ("netrc-optional", Kind::Bool),
    ("no-header", Kind::Text),
    ("no-jsonpath-coercion", Kind::Bool),
    ("ntlm", Kind::Bool),
    ("output", Kind::File),
    ("path-as-is", Kind::Bool),
    ("pinnedpubkey", Kind::Text),
    ("proxy", Kind::Text),
    ("repeat", Kind::Integer),
    ("resolve", Kind::Text),
    ("retry", Kind::Integer),
    ("retry-interval", Kind::Duration),
    ("skip", Kind::Bool),
    ("tls-max", Kind::Text),
    ("tls-min", Kind::Text),
    ("unix-socket", Kind::Text),
    ("user", Kind::Text),
    ("variable", Kind::Variable),
    ("verbose", Kind::Bool),
    ("verbosity", Kind::Text),
    ("very-verbose", Kind::Bool),
];

pub(super) fn options(scanner: &mut Scanner<'_>) -> Parsed<Vec<EntryOption>> {
    let mut options = Vec::new();
    loop {
        let mut ahead = scanner.clone();
        ahead.blank_lines();
        let start = ahead.offset();
        let name = ahead.take_while(|c| c.is_ascii_alphanumeric() || "-._".contains(c)).to_owned();
        ahead.spaces();
        if name.is_empty() || !ahead.eat(":") {
            return Ok(options);
        }
        ahead.spaces();
        let Some((_, kind)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            return Err(scanner.wrong_at(ahead.place_since(start), format!("there is no option `{name}`")));
        };
        let value = value(&mut ahead, *kind)?;
        let place = ahead.place_since(start);
        ahead.line_end()?;
        *scanner = ahead;
        options.push(EntryOption { place, name, value });
    }
}

fn value(scanner: &mut Scanner<'_>, kind: Kind) -> Parsed<OptionValue> {
    if scanner.rest().starts_with("{{") && matches!(kind, Kind::Bool | Kind::Integer | Kind::Duration) {
        return scanner.placeholder().map(OptionValue::Placeholder);
    }
    match kind {
        Kind::Bool if scanner.eat_word("true") => Ok(OptionValue::Bool(true)),
        Kind::Bool if scanner.eat_word("false") => Ok(OptionValue::Bool(false)),
        Kind::Bool => Err(scanner.wrong("write true or false")),
        Kind::Integer => integer(scanner).map(OptionValue::Integer),
        Kind::Duration => duration(scanner),
        Kind::Text => scanner.unquoted().map(OptionValue::Text),
        Kind::File => scanner.filename().map(OptionValue::Text),
        Kind::Variable => variable(scanner),
    }
}

pub(super) fn integer(scanner: &mut Scanner<'_>) -> Parsed<i64> {
    let here = scanner.clone();
    let text = scanner.take_while(|c| c.is_ascii_digit() || c == '-');
    text.parse().map_err(|_| here.wrong("a whole number is missing here"))
}

fn duration(scanner: &mut Scanner<'_>) -> Parsed<OptionValue> {
    let here = scanner.clone();
    let digits = scanner.take_while(|c| c.is_ascii_digit());
    let value = digits.parse().map_err(|_| here.wrong("a duration is missing here, like 500ms"))?;
    let written = scanner.take_while(|c| c.is_ascii_alphabetic());
    let unit = ["ms", "s", "m", "h"].into_iter().find(|unit| *unit == written);
    if unit.is_none() && !written.is_empty() {
        return Err(here.wrong(format!("there is no unit `{written}`")).hint("units are ms, s, m and h"));
    }
    Ok(OptionValue::Duration(value, unit))
}

/// `name=value`, where the value may be null, a boolean, a number, or a text with or without quotes.
fn variable(scanner: &mut Scanner<'_>) -> Parsed<OptionValue> {
    let name = scanner.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-').to_owned();
    if name.is_empty() {
        return Err(scanner.wrong("the name of a variable is missing here, like `variable: id=1`"));
    }
    scanner.spaces();
    scanner.need("=")?;
    scanner.spaces();
    let value = match plain_variable(scanner) {
        Some(value) => value,
        None if scanner.peek() == Some('"') => VariableValue::Text(scanner.quoted()?),
        None => VariableValue::Text(scanner.unquoted()?),
    };
    Ok(OptionValue::Variable { name, value })
}

/// A literal only counts where it is all of the value: `11aa` is a text.
fn plain_variable(scanner: &mut Scanner<'_>) -> Option<VariableValue> {
    let mut ahead = scanner.clone();
    let value = if ahead.eat("null") {
        VariableValue::Null
    } else if ahead.eat("true") {
        VariableValue::Bool(true)
    } else if ahead.eat("false") {
        VariableValue::Bool(false)
    } else {
        VariableValue::Number(number(&mut ahead)?)
    };
    let ends = ahead.peek().is_none_or(|c| matches!(c, ' ' | '\t' | '\r' | '\n' | '#'));
    ends.then(|| {
        *scanner = ahead;
        value
    })
}
