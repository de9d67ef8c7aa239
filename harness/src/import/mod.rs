//! Scenarios from what teams already have: Hurl files, `OpenAPI` descriptions, Postman collections.
//!
//! An importer reads one document and gives the texts of scenario files and notes about what it could not carry over.
//! It never touches the network and never drops anything in silence: what has no counterpart is a [`Note`] with its
//! place, and a `TODO` in the text where the verdict could differ. Start at [`Imported`]; the YAML is written by `write`.

mod hurl;
mod openapi;
mod postman;
pub(crate) mod slug;
pub(crate) mod write;

use std::{fmt, path::PathBuf};

use located::{Diagnostic, Place, Source};

pub use hurl::{HurlOptions, hurl};
pub use openapi::openapi;
pub use postman::{PostmanOptions, postman, postman_environment};

/// What an importer made of one document.
#[derive(Debug, Default)]
pub struct Imported {
    pub files: Vec<ImportedFile>,
    pub notes: Vec<Note>,
}

/// A scenario file to write.
#[derive(Debug)]
pub struct ImportedFile {
    /// Below the folder of the user's choice: `shop.yaml`.
    pub name: String,
    pub text: String,
    /// Files that the scenario reads: where they are, and their names below the same folder.
    pub copies: Vec<(PathBuf, String)>,
}

/// Something that could not be carried over as it is.
#[derive(Debug)]
pub struct Note {
    pub weight: Weight,
    pub diagnostic: Diagnostic,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A person must look: the verdict may differ.
    Todo,
    /// Left out, and the verdict is the same without it.
    LeftOut,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = match self.weight {
            Weight::Todo => "todo",
            Weight::LeftOut => "left out",
        };
        write!(f, "{label}: {}", self.diagnostic)
    }
}

impl Imported {
    /// What was made of another document, too.
    pub fn add(&mut self, other: Self) {
        self.files.extend(other.files);
        self.notes.extend(other.notes);
    }

    /// How many notes need a person.
    pub fn todos(&self) -> usize {
        self.notes.iter().filter(|note| note.weight == Weight::Todo).count()
    }
}

/// A text that stays as it is when it is read as a template.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min() {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        out.push_str(&format!("{{{{ \"{}\" }}}}", &mark[..2]));
        rest = &mark[2..];
    }
    out.push_str(rest);
    out
}

/// A value that the user gives as a text: what looks like a whole number or a boolean is one.
pub(crate) fn given_value(text: &str) -> write::Yaml {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        _ => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => number.into(),
            _ => escaped(text).into(),
        },
    }
}

/// The notes of one document.
#[derive(Debug)]
pub(crate) struct Notes {
    source: Source,
    notes: Vec<Note>,
}

impl Notes {
    pub(crate) fn new(source: &Source) -> Self {
        Self { source: source.clone(), notes: Vec::new() }
    }

    /// Adds a note, and gives the comment to write at the same place of the scenario.
    pub(crate) fn todo(&mut self, place: Place, message: impl Into<String>) -> String {
        let message = message.into();
        let comment = format!("TODO {message}");
        self.add(Weight::Todo, place, message);
        comment
    }

    pub(crate) fn left_out(&mut self, place: Place, message: impl Into<String>) {
        self.add(Weight::LeftOut, place, message.into());
    }

    fn add(&mut self, weight: Weight, place: Place, message: String) {
        self.notes.push(Note { weight, diagnostic: self.source.diagnostic(place, message) });
    }

    pub(crate) fn finish(self) -> Vec<Note> {
        self.notes
    }
}
