//! Variables and texts with `{{placeholders}}`.

use std::collections::{BTreeMap, BTreeSet};

use crate::import::{
    escaped, given_value,
    slug::{Unique, variable},
    write::{Map, Yaml},
};

/// The variables of one scenario.
#[derive(Debug)]
pub(super) struct Names<'a> {
    given: &'a BTreeMap<String, String>,
    /// What each is called here: `a-b` and `a_b` are two.
    written: BTreeMap<String, String>,
    unique: Unique,
    captured: BTreeSet<String>,
    vars: Map,
    /// What must be given from outside, or has no counterpart.
    pub(super) missing: Vec<String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(given: &'a BTreeMap<String, String>) -> Self {
        Self {
            given,
            written: BTreeMap::new(),
            unique: Unique::default(),
            captured: BTreeSet::new(),
            vars: Map::new(),
            missing: Vec::new(),
        }
    }

    pub(super) fn expanded(&self, url: &str) -> String {
        expanded(url, self.given)
    }

    /// A step keeps a value under this name.
    pub(super) fn capture(&mut self, name: &str) -> String {
        let written = self.name(name);
        self.captured.insert(written.clone());
        written
    }

    fn name(&mut self, name: &str) -> String {
        if let Some(written) = self.written.get(name) {
            return written.clone();
        }
        let written = self.unique.name(&variable(name), "_");
        self.written.insert(name.to_owned(), written.clone());
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
            Some(name) if is_lone && !is_text(name) => format!("{{{{ {name} | string }}}}").into(),
            _ => written.into(),
        }
    }

    pub(super) fn expression(&mut self, name: &str) -> String {
        if let Some(dynamic) = name.strip_prefix('$') {
            return self.dynamic(dynamic);
        }
        let written = self.name(name);
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

    /// What Postman draws anew each time.
    fn dynamic(&mut self, name: &str) -> String {
        let expression = match name {
            "guid" | "randomUUID" => "random.uuid",
            "timestamp" => "now('+0s', '%s') | int",
            "isoTimestamp" => "now('+0s', '%Y-%m-%dT%H:%M:%S%.3fZ')",
            "randomInt" => "random.int(0, 1000)",
            "randomBoolean" => "random.bool",
            "randomEmail" | "randomExampleEmail" => "random.email",
            "randomFirstName" => "random.first_name",
            "randomLastName" => "random.last_name",
            "randomFullName" => "random.name",
            "randomPhoneNumber" => "random.phone",
            "randomCity" => "random.city",
            "randomCountry" => "random.country",
            "randomStreetAddress" => "random.address",
            "randomStreetName" => "random.street",
            "randomCompanyName" => "random.company",
            "randomBankAccountIban" => "random.iban",
            "randomLoremSentence" | "randomPhrase" => "random.sentence",
            "randomWord" | "randomNoun" | "randomVerb" | "randomAdjective" | "randomLoremWord" => "random.word",
            other => {
                self.missing.push(format!("`${other}` has no counterpart; a random word stands for it"));
                "random.word"
            }
        };
        expression.to_owned()
    }

    pub(super) fn into_vars(self) -> Map {
        self.vars
    }
}

/// Whether the expression gives a text in any case.
fn is_text(expression: &str) -> bool {
    let is_drawn = expression.starts_with("random.") && !expression.contains('(') && expression != "random.bool";
    is_drawn || expression.starts_with("now(") && expression.ends_with(')')
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
