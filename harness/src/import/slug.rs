//! Names for scenarios and values.

use std::collections::BTreeSet;

const SLUG_CHARS_MAX: usize = 60; // below the format's limit, so that a number can follow

/// What a scenario may be called: lower-case letters, digits and dashes.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    let mut before = ' ';
    for c in text.chars() {
        // `createOrder` and `create order` are both `create-order`.
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() && !slug.ends_with('-') {
            slug.push('-');
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        before = c;
    }
    slug.truncate(SLUG_CHARS_MAX);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "imported".to_owned() } else { slug.to_owned() }
}

/// What a value may be called in templates.
pub(crate) fn variable(text: &str) -> String {
    const TAKEN: [&str; 26] = [
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "not",
        "and",
        "or",
        "in",
        "is",
        "if",
        "else",
        "for",
        "set",
        "loop",
        "self",
        "range",
        "dict",
        "namespace",
        "debug",
        "item",
        "index",
        "args",
        "now",
        "env",
    ];
    let mut name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    if TAKEN.contains(&name.as_str()) || crate::scenario::GIVEN.contains(&name.as_str()) {
        name.push('_');
    }
    name
}

/// Names that differ from each other: the second `a` is `a-2`.
#[derive(Debug, Default)]
pub(crate) struct Unique(BTreeSet<String>);

impl Unique {
    pub(crate) fn name(&mut self, wanted: &str, separator: &str) -> String {
        let numbered = (2..).map(|n| format!("{wanted}{separator}{n}"));
        let free = std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !self.0.contains(name));
        let name = free.expect("there are endless numbers");
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::{Unique, slug, variable};

    #[test]
    fn names_fit_the_format() {
        assert_eq!(slug("Create an Order (v2)!"), "create-an-order-v2");
        assert_eq!(slug("createOrder"), "create-order");
        assert_eq!(slug("äö"), "imported");
        assert_eq!(slug(&"x".repeat(200)).len(), 60);
        assert_eq!(variable("x-request-id"), "x_request_id");
        assert_eq!(variable("1st"), "_1st");
        assert_eq!((variable("uid"), variable("in")), ("uid_".to_owned(), "in_".to_owned()));
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = Unique::default();
        assert_eq!(["a", "b", "a", "a"].map(|name| names.name(name, "-")), ["a", "b", "a-2", "a-3"]);
    }
}
