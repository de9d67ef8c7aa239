//! Which part of a URL is the subject, and which is the path on it.

use std::collections::BTreeMap;

use super::{
    ast::{Entry, OptionValue, Piece, Placeholder, Template},
    names::Names,
};

/// A URL in its two parts.
#[derive(Debug)]
pub(super) struct Address {
    /// As Hurl writes it: `http://localhost:80`, `{{host}}`. Empty where a captured value is the whole URL.
    pub(super) origin: String,
    pub(super) path: Template,
}

/// Splits a URL behind its authority.
pub(super) fn split(url: &Template, names: &Names<'_>) -> Address {
    let url = with_given(url, names);
    let mut origin = String::new();
    let mut path = Template::default();
    for piece in url.0 {
        match piece {
            _ if !path.is_empty() => path.0.push(piece),
            Piece::Text(text) => {
                let authority = if origin.is_empty() { text.find("://").map_or(0, |at| at + 3) } else { 0 };
                match text[authority..].find(['/', '?']) {
                    Some(at) => {
                        let (before, after) = text.split_at(authority + at);
                        origin.push_str(before);
                        path.0.push(Piece::Text(after.to_owned()));
                    }
                    None => origin.push_str(&text),
                }
            }
            Piece::Placeholder(Placeholder::Variable { ref name, .. }) if origin.is_empty() && names.is_set(name) => {
                path.0.push(piece);
            }
            Piece::Placeholder(Placeholder::Variable { name, .. }) => origin.push_str(&format!("{{{{{name}}}}}")),
            Piece::Placeholder(Placeholder::NewUuid | Placeholder::NewDate) => path.0.push(piece),
        }
    }
    let is_relative = matches!(path.0.first(), Some(Piece::Text(text)) if text.starts_with('?'));
    if path.is_empty() || is_relative {
        path.0.insert(0, Piece::Text("/".to_owned()));
        path = joined(path);
    }
    Address { origin, path }
}

/// Variables whose value the user gave are written out, so that `{{host}}` and what it stands for are one origin.
fn with_given(url: &Template, names: &Names<'_>) -> Template {
    let mut is_start = true;
    let piece = |piece: &Piece| {
        let given = match piece {
            Piece::Placeholder(Placeholder::Variable { name, .. }) if is_start => names.given(name),
            _ => None,
        };
        is_start = false;
        given.map_or_else(|| piece.clone(), |value| Piece::Text(value.clone()))
    };
    joined(Template(url.0.iter().map(piece).collect()))
}

/// Texts that follow each other become one.
fn joined(template: Template) -> Template {
    let mut out = Template::default();
    for piece in template.0 {
        match (out.0.last_mut(), piece) {
            (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
            (_, piece) => out.0.push(piece),
        }
    }
    out
}

/// The origin of most entries.
pub(super) fn usual(entries: &[Entry], given: &BTreeMap<String, String>) -> Option<String> {
    let mut names = Names::new(given);
    let mut counts: Vec<(String, usize)> = Vec::new();
    for entry in entries {
        for option in &entry.options {
            if let OptionValue::Variable { name, value } = &option.value {
                names.assign(name, value);
            }
        }
        let origin = split(&entry.url, &names).origin;
        match counts.iter_mut().find(|(known, _)| *known == origin) {
            _ if origin.is_empty() => {}
            Some((_, count)) => *count += 1,
            None => counts.push((origin, 1)),
        }
        for capture in entry.response.iter().flat_map(|response| &response.captures) {
            names.capture(&capture.name.literal().unwrap_or_default());
        }
    }
    // Of equal ones the first.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(origin, _)| origin)
}
