//! Which names a template may use where it stands: what is given, what is defined above it, and nothing else.

use std::collections::BTreeSet;

use located::{Diagnostics, Place, Source, nearest};

use super::{LintCode, StepFile};
use crate::{
    step::wait::LIVE,
    text::{Entries, FUNCTIONS, Node, Text, undeclared, walk_texts},
};

/// Names that every template can use.
pub(crate) const GIVEN: [&str; 8] = ["case", "data_dir", "ports", "random", "subject", "trial", "twins", "uid"];

/// Names that a step with `for_each` has besides the one that it gives.
pub(crate) const INDEX: &str = "index";

/// Names that the `if` of a `retry` can use.
pub(crate) const RETRY_NAMES: [&str; 4] = ["attempt", "exit", "result", "status"];

/// The names that are known so far, while a file is walked from its top.
pub(super) struct Names<'a> {
    source: &'a Source,
    known: BTreeSet<String>,
    wrong: &'a mut Diagnostics,
}

impl<'a> Names<'a> {
    /// What is given, and `more`.
    pub(super) fn new(source: &'a Source, more: &BTreeSet<String>, wrong: &'a mut Diagnostics) -> Self {
        let given = GIVEN.iter().map(|name| (*name).to_owned());
        Self { source, known: given.chain(more.iter().cloned()).collect(), wrong }
    }

    pub(super) fn known(self) -> BTreeSet<String> {
        self.known
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.known.contains(name)
    }

    pub(super) fn define(&mut self, name: &Text) {
        self.check_name(name);
        self.known.insert(name.value.clone());
    }

    pub(super) fn variables(&mut self, variables: &Entries<Node>) {
        for (name, value) in variables.iter() {
            self.check(value);
            self.define(name);
        }
    }

    /// The steps of one phase, and what they capture. `document` is the same list, read as a plain value.
    pub(super) fn steps<'s>(&mut self, steps: impl Iterator<Item = &'s StepFile>, document: Option<&Node>) {
        for (step, document) in steps.zip(document.map_or(&[][..], Node::items)) {
            self.step(step, document);
        }
    }

    pub(super) fn check(&mut self, node: &Node) {
        walk_texts(node, &mut |text, place| self.check_text(text, place, &[]));
    }

    fn step(&mut self, step: &StepFile, document: &Node) {
        let mut local: Vec<&str> = Vec::new();
        if let Some(each) = &step.for_each {
            for (name, list) in each.iter() {
                self.check(list);
                self.check_name(name);
                local.extend([name.as_str(), INDEX]);
            }
        }
        let captured: Vec<&str> = step.capture.iter().map(|(name, _)| name.as_str()).collect();
        for (field, node) in document.entries() {
            let more: &[&str] = match field.as_str() {
                "retry" => &RETRY_NAMES,
                // Captured first: the id of an answer can be expected in its link.
                "expect" if step.http.is_some() => &captured,
                "wait" => &[LIVE],
                _ => &[],
            };
            let names = [&local, more].concat();
            if field != "for_each" {
                walk_texts(node, &mut |text, place| self.check_text(text, place, &names));
            }
        }
        step.capture.iter().for_each(|(name, _)| self.define(name));
    }

    fn check_name(&mut self, name: &Text) {
        let is_letter = |n, c: char| c == '_' || c.is_ascii_alphabetic() || n > 0 && c.is_ascii_digit();
        let is_name = !name.is_empty() && name.chars().enumerate().all(|(n, c)| is_letter(n, c));
        let is_taken = GIVEN.contains(&name.as_str()) || FUNCTIONS.contains(&name.as_str());
        if !is_name || is_taken {
            let message = format!("`{}` cannot name a value", name.value);
            let taken = GIVEN.iter().chain(&FUNCTIONS).copied().collect::<Vec<_>>().join(", ");
            let hint = format!("use letters, digits and _, and none of {taken}");
            self.wrong.push(LintCode::ReservedName.at(self.source, name.place, message).hint(hint));
        }
    }

    fn check_text(&mut self, text: &str, place: Place, local: &[&str]) {
        let is_known = |name: &str| local.contains(&name) || FUNCTIONS.contains(&name) || self.known.contains(name);
        let unknown = match undeclared(text, place) {
            Ok(names) => names.into_iter().find(|name| !is_known(name)),
            Err(error) => {
                self.wrong.push(LintCode::UnknownVariable.at(self.source, place, error.message));
                return;
            }
        };
        let Some(unknown) = unknown else { return };
        let message = format!("nothing defines `{unknown}` before this place");
        let defined: Vec<&str> = local.iter().copied().chain(self.known.iter().map(String::as_str)).collect();
        let list = format!("this place knows {}", defined.join(", "));
        let hint = match nearest(&unknown, defined.iter().chain(&FUNCTIONS).copied()) {
            Some(near) => format!("did you mean `{near}`? {list}"),
            None => list,
        };
        self.wrong.push(LintCode::UnknownVariable.at(self.source, place, message).hint(hint));
    }
}
