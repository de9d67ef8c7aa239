//! Variables: what they are called in a scenario, and texts with placeholders as templates.

use std::collections::BTreeMap;

use located::Place;

use super::ast::{Piece, Placeholder, Template, VariableValue};
use crate::import::{
    Notes, escaped, given_value,
    slug::{Unique, variable},
    write::{Map, Yaml},
};

/// What a variable stands for at some point of the file.
#[derive(Clone, Debug)]
enum Meaning {
    /// A value with this name, given in `vars` or captured by a step.
    Name(String),
    /// The same, of a value that comes from outside the file.
    Outside(String),
    /// Another text: `variable: url={{host}}/x`.
    Text(Template),
}

/// The variables of one file.
#[derive(Debug)]
pub(super) struct Names<'a> {
    given: &'a BTreeMap<String, String>,
    meanings: BTreeMap<String, Meaning>,
    unique: Unique,
    vars: Map,
}

impl<'a> Names<'a> {
    pub(super) fn new(given: &'a BTreeMap<String, String>) -> Self {
        Self { given, meanings: BTreeMap::new(), unique: Unique::default(), vars: Map::new() }
    }

    /// What the user gave for it, unless the file gives it another value.
    pub(super) fn given(&self, name: &str) -> Option<&'a String> {
        if self.is_set(name) { None } else { self.given.get(name) }
    }

    /// Whether the file has set it before this point.
    pub(super) fn is_set(&self, name: &str) -> bool {
        matches!(self.meanings.get(name), Some(Meaning::Name(_) | Meaning::Text(_)))
    }

    /// A step captures it: the name to write. The same name again is the same value replaced.
    pub(super) fn capture(&mut self, name: &str) -> String {
        if let Some(Meaning::Name(written) | Meaning::Outside(written)) = self.meanings.get(name) {
            let written = written.clone();
            self.meanings.insert(name.to_owned(), Meaning::Name(written.clone()));
            return written;
        }
        let written = self.unique.name(&variable(name), "_");
        self.meanings.insert(name.to_owned(), Meaning::Name(written.clone()));
        written
    }

    /// `variable: name=value`
    pub(super) fn assign(&mut self, name: &str, value: &VariableValue) {
        let value = match value {
            VariableValue::Text(text) if text.placeholders().next().is_some() => {
                // Its placeholders mean what they mean here, not where it is used.
                let text = self.resolved(text);
                self.meanings.insert(name.to_owned(), Meaning::Text(text));
                return;
            }
            VariableValue::Text(text) => Yaml::Text(escaped(&text.literal().unwrap_or_default())),
            VariableValue::Null => Yaml::Null,
            VariableValue::Bool(value) => (*value).into(),
            VariableValue::Number(number) => Yaml::Number(number.clone()),
        };
        let written = self.unique.name(&variable(name), "_");
        self.vars.set(&written, value);
        self.meanings.insert(name.to_owned(), Meaning::Name(written));
    }

    fn resolved(&self, template: &Template) -> Template {
        let piece = |piece: &Piece| match piece {
            Piece::Placeholder(Placeholder::Variable { name, .. }) => match self.meanings.get(name) {
                Some(Meaning::Text(text)) => text.0.clone(),
                _ => vec![piece.clone()],
            },
            other => vec![other.clone()],
        };
        Template(template.0.iter().flat_map(piece).collect())
    }

    /// As a template that gives a text.
    pub(super) fn text(&mut self, template: &Template, notes: &mut Notes) -> String {
        let template = self.resolved(template);
        let mut out = String::new();
        for (at, piece) in template.0.iter().enumerate() {
            match piece {
                Piece::Text(text) => {
                    let text = escaped(text);
                    let before_placeholder = matches!(template.0.get(at + 1), Some(Piece::Placeholder(_)));
                    match text.strip_suffix('{').filter(|_| before_placeholder) {
                        Some(start) => out.push_str(&format!("{start}{{{{ \"{{\" }}}}")),
                        None => out.push_str(&text),
                    }
                }
                Piece::Placeholder(placeholder) => {
                    out.push_str(&format!("{{{{ {} }}}}", self.expression(placeholder, notes)))
                }
            }
        }
        out
    }

    /// As a value that is a text, where a lone placeholder would keep its own type.
    pub(super) fn text_value(&mut self, template: &Template, notes: &mut Notes) -> Yaml {
        let resolved = self.resolved(template);
        match &resolved.0[..] {
            [Piece::Placeholder(placeholder @ Placeholder::Variable { .. })] => {
                Yaml::Text(format!("{{{{ {} | string }}}}", self.expression(placeholder, notes)))
            }
            _ => Yaml::Text(self.text(&resolved, notes)),
        }
    }

    /// As a value of whatever type the placeholder has.
    pub(super) fn typed(&mut self, placeholder: &Placeholder, notes: &mut Notes) -> Yaml {
        Yaml::Text(self.text(&Template(vec![Piece::Placeholder(placeholder.clone())]), notes))
    }

    fn expression(&mut self, placeholder: &Placeholder, notes: &mut Notes) -> String {
        match placeholder {
            Placeholder::NewUuid => "random.uuid".to_owned(),
            Placeholder::NewDate => "now('+0s', '%Y-%m-%dT%H:%M:%S%.6fZ')".to_owned(),
            Placeholder::Variable { name, place } => self.name(name, *place, notes),
        }
    }

    /// The name of a variable that is only looked for: one that nobody sets must stay unset.
    pub(super) fn sought(&self, name: &str) -> String {
        match self.meanings.get(name) {
            Some(Meaning::Name(written) | Meaning::Outside(written)) => written.clone(),
            Some(Meaning::Text(_)) | None => variable(name),
        }
    }

    /// The name to use, of a variable that the file does not set: it comes from outside.
    pub(super) fn name(&mut self, name: &str, place: Place, notes: &mut Notes) -> String {
        if let Some(Meaning::Name(name) | Meaning::Outside(name)) = self.meanings.get(name) {
            return name.clone();
        }
        let written = self.unique.name(&variable(name), "_");
        let value = match self.given.get(name) {
            Some(value) => given_value(value),
            None => {
                let comment = notes
                    .todo(place, format!("`{name}` is set outside this file: give it here or with --var {written}=…"));
                Yaml::from("").commented(vec![comment])
            }
        };
        self.vars.set(&written, value);
        self.meanings.insert(name.to_owned(), Meaning::Outside(written.clone()));
        written
    }

    /// What goes into `vars`.
    pub(super) fn into_vars(self) -> Map {
        self.vars
    }
}
