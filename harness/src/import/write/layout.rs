//! Where lines break: a map or list that fits stands on one line, else in block style.

use super::{
    Map, Yaml,
    scalar::{Context, literal, scalar},
};

const LINE_CHARS_MAX: usize = 110; // a map that fits stands on one line
const INDENT: usize = 2;

impl Yaml {
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
