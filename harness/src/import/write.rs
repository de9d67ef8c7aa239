//! YAML as a person would write it: block style, small maps on one line, comments, no needless quotes.
//!
//! Owns the tree that importers build and its text. Never decides what belongs into a scenario.

use std::fmt::Write as _;

const LINE_CHARS_MAX: usize = 110; // a map that fits stands on one line
const INDENT: usize = 2;

/// A value to write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    /// As it is to be written.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Map(Map),
    /// A value with lines of comment above it; it and what holds it stand in block style.
    Commented(Vec<String>, Box<Self>),
    /// A map or list that is spread over lines even where it would fit on one.
    Spread(Box<Self>),
}

/// Entries in the order of writing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Map(pub(crate) Vec<(String, Yaml)>);

impl Map {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn one(key: &str, value: impl Into<Yaml>) -> Self {
        Self(vec![(key.to_owned(), value.into())])
    }

    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Yaml>) -> Self {
        self.set(key, value);
        self
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Yaml>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Sets the entry where there is something to say.
    pub(crate) fn set_some(&mut self, key: &str, value: Option<impl Into<Yaml>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Yaml> {
        self.0.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Yaml {
    pub(crate) fn spread(self) -> Self {
        Self::Spread(Box::new(self))
    }

    /// The value below comment lines; itself where there is nothing to say.
    pub(crate) fn commented(self, lines: Vec<String>) -> Self {
        if lines.is_empty() { self } else { Self::Commented(lines, Box::new(self)) }
    }

    /// The whole document.
    pub(crate) fn document(&self) -> String {
        let mut out = String::new();
        match self {
            Self::Map(map) => map_block(map, 0, &mut out),
            Self::Commented(lines, value) => {
                comment(lines, 0, &mut out);
                out.push_str(&value.document());
            }
            Self::Spread(value) => return value.document(),
            Self::List(items) => list_block(items, 0, &mut out),
            scalar => {
                out.push_str(&scalar.flow().unwrap_or_default());
                out.push('\n');
            }
        }
        out
    }

    /// On one line, if that is possible.
    fn flow(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".to_owned()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(number) => Some(number.clone()),
            Self::Text(text) => Some(scalar(text, Context::Flow)),
            Self::List(items) => {
                let items: Option<Vec<_>> = items.iter().map(Self::flow).collect();
                Some(format!("[{}]", items?.join(", ")))
            }
            Self::Map(map) if map.is_empty() => Some("{}".to_owned()),
            Self::Map(map) => {
                let entry =
                    |(key, value): &(String, Self)| Some(format!("{}: {}", scalar(key, Context::Flow), value.flow()?));
                let entries: Option<Vec<_>> = map.0.iter().map(entry).collect();
                Some(format!("{{ {} }}", entries?.join(", ")))
            }
            Self::Commented(..) | Self::Spread(_) => None,
        }
    }

    /// The one line, if it fits behind `used` characters.
    fn short(&self, used: usize) -> Option<String> {
        match self {
            Self::Text(text) if text.contains('\n') && literal(text).is_some() => None,
            Self::Text(text) => Some(scalar(text, Context::Block)),
            Self::Null | Self::Bool(_) | Self::Number(_) => self.flow(),
            // A block text inside is worth its lines.
            _ if self.holds_lines() => None,
            _ => self.flow().filter(|line| used + line.chars().count() <= LINE_CHARS_MAX),
        }
        .or_else(|| match self {
            // What cannot be spread.
            Self::List(items) if items.is_empty() => Some("[]".to_owned()),
            Self::Map(map) if map.is_empty() => Some("{}".to_owned()),
            _ => None,
        })
    }

    fn holds_lines(&self) -> bool {
        match self {
            Self::Text(text) => text.contains('\n') && literal(text).is_some(),
            Self::List(items) => items.iter().any(Self::holds_lines),
            Self::Map(map) => map.0.iter().any(|(_, value)| value.holds_lines()),
            Self::Commented(_, value) | Self::Spread(value) => value.holds_lines(),
            Self::Null | Self::Bool(_) | Self::Number(_) => false,
        }
    }
}

fn map_block(map: &Map, indent: usize, out: &mut String) {
    for (at, (key, value)) in map.0.iter().enumerate() {
        // The first line of a map in a list stands behind the dash.
        let is_first = at == 0;
        let (lines, value) = match value {
            Yaml::Commented(lines, value) => (&lines[..], &**value),
            value => (&[][..], value),
        };
        if !lines.is_empty() {
            if is_first && !out.is_empty() && !out.ends_with('\n') {
                out.push_str("# ");
                out.push_str(&lines.join(" "));
                out.push('\n');
                pad(indent, out);
            } else {
                comment(lines, indent, out);
            }
        }
        if out.is_empty() || out.ends_with('\n') {
            pad(indent, out);
        }
        let key = scalar(key, Context::Block);
        out.push_str(&key);
        out.push(':');
        below(value, indent, indent + key.chars().count() + 2, out);
    }
}

fn list_block(items: &[Yaml], indent: usize, out: &mut String) {
    for item in items {
        let (lines, item) = match item {
            Yaml::Commented(lines, item) => (&lines[..], &**item),
            item => (&[][..], item),
        };
        comment(lines, indent, out);
        pad(indent, out);
        out.push('-');
        let inner = match item {
            Yaml::Spread(inner) => &**inner,
            item => item,
        };
        match (item.short(indent + INDENT), inner) {
            (None, Yaml::Map(map)) if !map.is_empty() => {
                out.push(' ');
                map_block(map, indent + INDENT, out);
            }
            _ => below(item, indent, indent + INDENT, out),
        }
    }
}

/// What follows a key or a dash.
fn below(value: &Yaml, indent: usize, used: usize, out: &mut String) {
    if let Some(line) = value.short(used) {
        out.push(' ');
        out.push_str(&line);
        out.push('\n');
        return;
    }
    match value {
        Yaml::Spread(value) => match &**value {
            Yaml::Map(map) if !map.is_empty() => {
                out.push('\n');
                map_block(map, indent + INDENT, out);
            }
            Yaml::List(items) if !items.is_empty() => {
                out.push('\n');
                list_block(items, indent + INDENT, out);
            }
            value => below(value, indent, used, out),
        },
        Yaml::Map(map) => {
            out.push('\n');
            map_block(map, indent + INDENT, out);
        }
        Yaml::List(items) => {
            out.push('\n');
            list_block(items, indent + INDENT, out);
        }
        Yaml::Text(text) => {
            let (mark, lines) = literal(text).unwrap_or(("|", Vec::new()));
            out.push(' ');
            out.push_str(mark);
            out.push('\n');
            for line in lines {
                if !line.is_empty() {
                    pad(indent + INDENT, out);
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        Yaml::Commented(lines, value) => {
            out.push('\n');
            comment(lines, indent + INDENT, out);
            pad(indent + INDENT, out);
            let mut inner = String::new();
            below(value, indent + INDENT, indent + INDENT, &mut inner);
            out.push_str(inner.trim_start_matches([' ', '\n']));
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => {}
    }
}

fn comment(lines: &[String], indent: usize, out: &mut String) {
    for line in lines.iter().flat_map(|line| line.lines()) {
        pad(indent, out);
        out.push_str("# ");
        // A control character would end the comment or the document.
        out.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }));
        while out.ends_with(' ') {
            out.pop();
        }
        out.push('\n');
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// The mark and the lines of a block text, for a text of several lines that fits one.
fn literal(text: &str) -> Option<(&'static str, Vec<&str>)> {
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
enum Context {
    Block,
    Flow,
}

/// A text without quotes where it stays a text, else in the quotes that need fewer escapes.
fn scalar(text: &str, context: Context) -> String {
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

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Yaml {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Yaml {
    fn from(value: i64) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<Map> for Yaml {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Self>> for Yaml {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

impl From<&serde_json::Value> for Yaml {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match value {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.to_string()),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Json::Object(map) => Self::Map(Map(map.iter().map(|(key, value)| (key.clone(), value.into())).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use located::Source;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::{Map, Yaml};
    use crate::text::Node;

    fn read(text: &str) -> Json {
        located::yaml::<Node>(&Source::new("a.yaml", text)).unwrap_or_else(|error| panic!("{error}\n{text}")).written()
    }

    #[test]
    fn a_scenario_reads_well() {
        let step = Map::one("name", "pays")
            .with("http", Map::one("post", "/orders").with("json", Yaml::from(&json!({"a": [1, "2"], "b": "{{ c }}"}))))
            .with("expect", Map::one("body", "two\nlines\n"));
        let steps = Yaml::List(vec![
            Yaml::from(step).spread().commented(vec!["from shop.hurl:3".to_owned()]),
            Yaml::from(Map::one("wait", Map::one("for", "1s"))).spread(),
        ]);
        let document = Map::one("scenario", "a").with("vars", Yaml::Map(Map::new())).with("steps", steps);
        insta::assert_snapshot!(Yaml::from(document).document(), @r#"
        scenario: a
        vars: {}
        steps:
          # from shop.hurl:3
          - name: pays
            http: { post: /orders, json: { a: [1, "2"], b: "{{ c }}" } }
            expect:
              body: |
                two
                lines
          - wait: { for: 1s }
        "#);
    }

    #[test]
    fn a_comment_cannot_end_early() {
        let value =
            Yaml::from(Map::one("b", "c").with("d", Yaml::from("e").commented(vec!["x\u{85}y\rz\nn".to_owned()])));
        assert_eq!(read(&value.document()), json!({"b": "c", "d": "e"}));
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(Json::from),
            // What trips writers up.
            proptest::sample::select(vec![
                "",
                " ",
                "~",
                "no",
                "Yes",
                "1",
                "1e3",
                "0x1f",
                "-",
                "- a",
                "a: b",
                "a #b",
                "#",
                "\n",
                "\n\n",
                " x\ny",
                "a\n",
                "a\n\nb\n\n",
                "\tb",
                "'",
                "\"",
                "\\",
                "{{ a }}",
                "[",
                "}",
                "a, b",
                "&a",
                "*a",
                "!a",
                "%a",
                "@a",
                "`a`",
                "|",
                ">",
                "2026-01-02",
                "12:30",
                "a:",
                "?",
                "? a",
                "=",
                "<<",
                "\u{85}",
                "\u{feff}",
                "\u{1}",
                "é😀",
                "null",
                ".5",
                "0o7",
                "+1",
                "1_000",
                ".",
                "a\r\nb",
                "x:{y",
                "---",
                "...",
            ])
            .prop_map(Json::from),
            ".{0,12}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                proptest::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in any_json()) {
            let document = Yaml::from(Map::one("value", Yaml::from(&value)).with("spread", Yaml::from(&value).spread()));
            prop_assert_eq!(read(&document.document()), json!({ "value": value, "spread": value }));
        }
    }
}
