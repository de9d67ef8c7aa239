//! Variables and texts with `{{placeholders}}`.

use std::collections::{BTreeMap, BTreeSet};

use crate::import::{
    escaped, given_value,
    slug::variable,
    write::{Map, Yaml},
};

/// The variables of one scenario.
#[derive(Debug)]
pub(super) struct Names<'a> {
    given: &'a BTreeMap<String, String>,
    captured: BTreeSet<String>,
    vars: Map,
    /// What must be given from outside, or has no counterpart.
    pub(super) missing: Vec<String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(given: &'a BTreeMap<String, String>) -> Self {
        Self { given, captured: BTreeSet::new(), vars: Map::new(), missing: Vec::new() }
    }

    pub(super) fn expanded(&self, url: &str) -> String {
        expanded(url, self.given)
    }

    /// A step keeps a value under this name.
    pub(super) fn capture(&mut self, name: &str) -> String {
        let written = variable(name);
        self.captured.insert(written.clone());
        written
    }

    /// A text as a template.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else { break };
            out.push_str(&escaped(before));
            if before.ends_with('{') {
                out.pop();
                out.push_str("{{ \"{\" }}");
            }
            out.push_str(&format!("{{{{ {} }}}}", self.expression(name.trim())));
            rest = after;
        }
        out + &escaped(rest)
    }

    /// A text whose lone placeholder would lose its being a text.
    pub(super) fn text_value(&mut self, text: &str) -> Yaml {
        let written = self.text(text);
        let is_lone = text.starts_with("{{") && text.find("}}") == text.len().checked_sub(2);
        match written.strip_prefix("{{ ").and_then(|rest| rest.strip_suffix(" }}")) {
            Some(name) if is_lone && !name.starts_with("random.") => format!("{{{{ {name} | string }}}}").into(),
            _ => written.into(),
        }
    }

    pub(super) fn expression(&mut self, name: &str) -> String {
        match name {
            "$guid" | "$randomUUID" => return "random.uuid".to_owned(),
            "$randomInt" => return "random.int(0, 1000)".to_owned(),
            "$randomEmail" | "$randomExampleEmail" => return "random.email".to_owned(),
            _ if name.starts_with("$random") => return "random.word".to_owned(),
            _ => {}
        }
        let written = variable(name);
        if self.captured.contains(&written) || self.vars.get(&written).is_some() {
            return written;
        }
        match self.given.get(name) {
            Some(value) => self.vars.set(&written, given_value(value)),
            None => {
                let message = format!("`{name}` is set outside the collection: give it here or with --var {written}=…");
                self.vars.set(&written, Yaml::from("").commented(vec![format!("TODO {message}")]));
                self.missing.push(message);
            }
        }
        written
    }

    pub(super) fn into_vars(self) -> Map {
        self.vars
    }
}

/// A URL whose first placeholder is written out, where its value is given: it may hold a part of the path.
pub(super) fn expanded(url: &str, given: &BTreeMap<String, String>) -> String {
    let first = url.strip_prefix("{{").and_then(|rest| rest.split_once("}}"));
    match first.and_then(|(name, rest)| Some((given.get(name.trim())?, rest))) {
        Some((value, rest)) => format!("{}{rest}", value.trim_end_matches('/')),
        None => url.to_owned(),
    }
}

/// The part of a URL that is the subject, and the path on it.
pub(super) fn split(url: &str) -> (&str, String) {
    let start = match url.find("://") {
        Some(at) if !url[..at].contains(['/', '?']) => at + 3,
        _ if url.starts_with("{{") => url.find("}}").map_or(0, |at| at + 2),
        _ => 0,
    };
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let path = &url[end..];
    (&url[..end], if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}
