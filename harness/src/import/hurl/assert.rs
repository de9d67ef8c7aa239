//! The sections `[Captures]` and `[Asserts]`: queries, filters, predicates.

use super::{
    ast::{Argument, Assert, Capture, Filter, Predicate, PredicateValue, Query},
    body,
    options::integer,
    scan::{Parsed, Scanner},
};

/// What follows the name of a query or a filter.
#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    Text,
    TwoTexts,
    Regex,
    RegexAndText,
    Integer,
    Cookie,
}

// Invariant: a name stands after every longer name that it begins.
const QUERIES: [(&str, Takes); 18] = [
    ("status", Takes::Nothing),
    ("version", Takes::Nothing),
    ("url", Takes::Nothing),
    ("header", Takes::Text),
    ("cookie", Takes::Cookie),
    ("body", Takes::Nothing),
    ("xpath", Takes::Text),
    ("jsonpath", Takes::Text),
    ("regex", Takes::Regex),
    ("variable", Takes::Text),
    ("duration", Takes::Nothing),
    ("bytes", Takes::Nothing),
    ("rawbytes", Takes::Nothing),
    ("sha256", Takes::Nothing),
    ("md5", Takes::Nothing),
    ("certificate", Takes::Text),
    ("ip", Takes::Nothing),
    ("redirects", Takes::Nothing),
];

const FILTERS: [(&str, Takes); 33] = [
    ("base64Decode", Takes::Nothing),
    ("base64Encode", Takes::Nothing),
    ("base64UrlSafeDecode", Takes::Nothing),
    ("base64UrlSafeEncode", Takes::Nothing),
    ("charsetDecode", Takes::Text),
    ("count", Takes::Nothing),
    ("dateFormat", Takes::Text),
    ("daysAfterNow", Takes::Nothing),
    ("daysBeforeNow", Takes::Nothing),
    ("decode", Takes::Text),
    ("first", Takes::Nothing),
    ("format", Takes::Text),
    ("htmlEscape", Takes::Nothing),
    ("htmlUnescape", Takes::Nothing),
    ("jsonpath", Takes::Text),
    ("last", Takes::Nothing),
    ("location", Takes::Nothing),
    ("nth", Takes::Integer),
    ("regex", Takes::Regex),
    ("replaceRegex", Takes::RegexAndText),
    ("replace", Takes::TwoTexts),
    ("split", Takes::Text),
    ("toDate", Takes::Text),
    ("toFloat", Takes::Nothing),
    ("toHex", Takes::Nothing),
    ("toInt", Takes::Nothing),
    ("toString", Takes::Nothing),
    ("urlDecode", Takes::Nothing),
    ("urlEncode", Takes::Nothing),
    ("urlQueryParam", Takes::Text),
    ("utf8Decode", Takes::Nothing),
    ("utf8Encode", Takes::Nothing),
    ("xpath", Takes::Text),
];

const OPERATORS: [&str; 6] = ["==", "!=", ">=", "<=", ">", "<"];
const COMPARISONS: [&str; 5] = ["startsWith", "endsWith", "contains", "includes", "matches"];
const QUESTIONS: [&str; 15] = [
    "isInteger",
    "isFloat",
    "isBoolean",
    "isString",
    "isCollection",
    "isList",
    "isObject",
    "isDate",
    "isIsoDate",
    "exists",
    "isEmpty",
    "isNumber",
    "isIpv4",
    "isIpv6",
    "isUuid",
];

pub(super) fn captures(scanner: &mut Scanner<'_>) -> Parsed<Vec<Capture>> {
    let mut captures = Vec::new();
    loop {
        let mut ahead = scanner.clone();
        ahead.blank_lines();
        let start = ahead.offset();
        let Some(name) = ahead.key()? else { return Ok(captures) };
        let Some(query) = query(&mut ahead)? else { return Err(unknown_query(&ahead)) };
        let filters = filters(&mut ahead)?;
        ahead.spaces();
        let redact = ahead.eat_word("redact");
        let place = ahead.place_since(start);
        ahead.line_end()?;
        *scanner = ahead;
        captures.push(Capture { place, name, query, filters, redact });
    }
}

pub(super) fn asserts(scanner: &mut Scanner<'_>) -> Parsed<Vec<Assert>> {
    let mut asserts = Vec::new();
    loop {
        let mut ahead = scanner.clone();
        ahead.blank_lines();
        let start = ahead.offset();
        let Some(query) = query(&mut ahead)? else { return no_more_asserts(ahead).map(|()| asserts) };
        let filters = filters(&mut ahead)?;
        if !ahead.spaces() {
            return Err(ahead.wrong("a space stands before the predicate"));
        }
        let not = ahead.eat_word("not");
        ahead.spaces();
        let predicate = predicate(&mut ahead)?;
        let place = ahead.place_since(start);
        ahead.line_end()?;
        *scanner = ahead;
        asserts.push(Assert { place, query, filters, not, predicate });
    }
}

/// A lower-case word that is no query is a mistake, unless it begins a body.
fn no_more_asserts(mut scanner: Scanner<'_>) -> Parsed<()> {
    let here = scanner.clone();
    let word = scanner.take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_body = ["", "true", "false", "null", "file", "hex", "base64"].contains(&word)
        || word.starts_with(|c: char| c.is_ascii_digit());
    if is_body { Ok(()) } else { Err(unknown_query(&here)) }
}

fn unknown_query(scanner: &Scanner<'_>) -> located::Diagnostic {
    let names = QUERIES.map(|(name, _)| name).join(", ");
    scanner.wrong("this begins with no query").hint(format!("there are {names}"))
}

fn query(scanner: &mut Scanner<'_>) -> Parsed<Option<Query>> {
    let Some((name, takes)) = QUERIES.into_iter().find(|(name, _)| scanner.eat_word(name)) else { return Ok(None) };
    Ok(Some(Query { name, argument: arguments(scanner, takes)?.pop() }))
}

fn filters(scanner: &mut Scanner<'_>) -> Parsed<Vec<Filter>> {
    let mut filters = Vec::new();
    loop {
        let mut ahead = scanner.clone();
        ahead.spaces();
        let Some((name, takes)) = FILTERS.into_iter().find(|(name, _)| ahead.eat_word(name)) else {
            return Ok(filters);
        };
        let arguments = arguments(&mut ahead, takes)?;
        filters.push(Filter { name, arguments });
        *scanner = ahead;
    }
}

fn arguments(scanner: &mut Scanner<'_>, takes: Takes) -> Parsed<Vec<Argument>> {
    let mut next = |read: fn(&mut Scanner<'_>) -> Parsed<Argument>| {
        scanner.spaces();
        read(scanner)
    };
    Ok(match takes {
        Takes::Nothing => Vec::new(),
        Takes::Text => vec![next(text)?],
        Takes::TwoTexts => vec![next(text)?, next(text)?],
        Takes::Regex => vec![next(pattern)?],
        Takes::RegexAndText => vec![next(pattern)?, next(text)?],
        Takes::Integer => vec![next(index)?],
        Takes::Cookie => vec![next(cookie)?],
    })
}

fn text(scanner: &mut Scanner<'_>) -> Parsed<Argument> {
    scanner.quoted().map(Argument::Text)
}

fn pattern(scanner: &mut Scanner<'_>) -> Parsed<Argument> {
    if scanner.peek() == Some('/') { regex(scanner).map(Argument::Regex) } else { text(scanner) }
}

fn index(scanner: &mut Scanner<'_>) -> Parsed<Argument> {
    if scanner.rest().starts_with("{{") {
        return scanner.placeholder().map(Argument::Placeholder);
    }
    integer(scanner).map(Argument::Integer)
}

/// `"name"` or `"name[Attribute]"`
fn cookie(scanner: &mut Scanner<'_>) -> Parsed<Argument> {
    const ATTRIBUTES: [&str; 8] = ["value", "expires", "max-age", "domain", "path", "secure", "httponly", "samesite"];
    let here = scanner.clone();
    scanner.need("\"")?;
    let path = scanner.take_while(|c| c != '"' && c != '\n');
    scanner.need("\"")?;
    let (name, attribute) = match path.split_once('[') {
        None => (path, None),
        Some((name, attribute)) => (name, Some(attribute.trim().trim_end_matches(']').trim().to_lowercase())),
    };
    if let Some(unknown) = attribute.as_deref().filter(|attribute| !ATTRIBUTES.contains(attribute)) {
        let message = format!("a cookie has no attribute `{unknown}`");
        return Err(here.wrong(message).hint(format!("there are {}", ATTRIBUTES.join(", "))));
    }
    Ok(Argument::Cookie(here.template_of(name.trim_end())?, attribute))
}

/// `/pattern/`; inside, a slash is escaped and nothing else is special.
pub(super) fn regex(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let start = scanner.clone();
    scanner.need("/")?;
    let mut pattern = String::new();
    loop {
        match scanner.next() {
            Some('/') => break,
            Some('\\') if scanner.eat("/") => pattern.push('/'),
            None | Some('\n') => return Err(start.wrong("the regular expression is not closed")),
            Some(other) => pattern.push(other),
        }
    }
    match crate::expect::compile_regex(&pattern) {
        Ok(_) => Ok(pattern),
        Err(message) => Err(start.wrong(format!(
            "this is no regular expression: {}",
            message.lines().last().unwrap_or_default().trim_start_matches("error: ")
        ))),
    }
}

fn predicate(scanner: &mut Scanner<'_>) -> Parsed<Predicate> {
    let here = scanner.clone();
    let operator = OPERATORS.into_iter().find(|name| scanner.eat(name));
    if let Some(name) = operator.or_else(|| COMPARISONS.into_iter().find(|name| scanner.eat_word(name))) {
        scanner.spaces();
        let value_start = scanner.clone();
        let value = value(scanner)?;
        return match unfit(name, &value) {
            None => Ok(Predicate { name, value: Some(value) }),
            Some(takes) => Err(value_start.wrong(format!("`{name}` takes {takes}"))),
        };
    }
    let question = QUESTIONS.into_iter().find(|name| scanner.eat_word(name));
    question.map(|name| Predicate { name, value: None }).ok_or_else(|| {
        let all = [&OPERATORS[..], &COMPARISONS, &QUESTIONS].concat().join(", ");
        here.wrong("a predicate is missing here").hint(format!("there are {all}, each with `not` before it if wanted"))
    })
}

/// What a predicate takes, where the value is none of it.
fn unfit(name: &str, value: &PredicateValue) -> Option<&'static str> {
    use PredicateValue::{Bytes, Number, Placeholder, Regex, Text};
    let (fits, takes) = match name {
        ">" | ">=" | "<" | "<=" => (matches!(value, Number(_) | Text(_) | Placeholder(_)), "a number or a text"),
        "startsWith" | "endsWith" => (matches!(value, Text(_) | Bytes(_)), "a text or bytes"),
        "matches" => (matches!(value, Text(_) | Regex(_)), "a text or a pattern between slashes"),
        _ => (true, ""),
    };
    (!fits).then_some(takes)
}

fn value(scanner: &mut Scanner<'_>) -> Parsed<PredicateValue> {
    if scanner.eat_word("null") {
        return Ok(PredicateValue::Null);
    }
    if scanner.eat_word("true") {
        return Ok(PredicateValue::Bool(true));
    }
    if scanner.eat_word("false") {
        return Ok(PredicateValue::Bool(false));
    }
    if let Some(number) = body::number(scanner) {
        return Ok(PredicateValue::Number(number));
    }
    if scanner.rest().starts_with("{{") {
        return scanner.placeholder().map(PredicateValue::Placeholder);
    }
    if let Some(bytes) = body::bytes(scanner)? {
        return Ok(PredicateValue::Bytes(bytes));
    }
    if let Some(file) = body::file(scanner)? {
        return Ok(PredicateValue::File(file));
    }
    if scanner.rest().starts_with("```") {
        return body::multiline_text(scanner).map(PredicateValue::Text);
    }
    match scanner.peek() {
        Some('"') => scanner.quoted().map(PredicateValue::Text),
        Some('`') => scanner.backticked().map(PredicateValue::Text),
        Some('/') => regex(scanner).map(PredicateValue::Regex),
        _ => Err(scanner.wrong("a value is missing here").hint("texts stand in double quotes")),
    }
}
