//! What an attribute is: everything that checking, showing and publishing it needs.

use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Instant,
    Binary,
    Reference,
    Complex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutability {
    ReadWrite,
    /// What clients send is left out.
    ReadOnly,
    /// Set once.
    Immutable,
    WriteOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returned {
    Always,
    Default,
    Never,
}

/// One row of a schema. Built by the functions below, from [`text`] and its siblings on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_many: bool,
    pub(super) is_required: bool,
    pub(super) is_exact: bool,
    pub(super) is_unique: bool,
    pub(super) mutability: Mutability,
    pub(super) returned: Returned,
    /// The usual values of a text.
    values: &'static [&'static str],
    /// What a reference leads to.
    references: &'static [&'static str],
    pub(super) children: &'static [Self],
    about: &'static str,
}

const fn attribute(name: &'static str, kind: Kind, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind,
        is_many: false,
        is_required: false,
        is_exact: false,
        is_unique: false,
        mutability: Mutability::ReadWrite,
        returned: Returned::Default,
        values: &[],
        references: &[],
        children: &[],
        about,
    }
}

pub(super) const fn text(name: &'static str, about: &'static str) -> Attribute {
    attribute(name, Kind::Text, about)
}

pub(super) const fn boolean(name: &'static str, about: &'static str) -> Attribute {
    attribute(name, Kind::Boolean, about)
}

pub(super) const fn binary(name: &'static str, about: &'static str) -> Attribute {
    Attribute { is_exact: true, ..attribute(name, Kind::Binary, about) }
}

pub(super) const fn instant(name: &'static str, about: &'static str) -> Attribute {
    attribute(name, Kind::Instant, about)
}

pub(super) const fn reference(
    name: &'static str,
    references: &'static [&'static str],
    about: &'static str,
) -> Attribute {
    Attribute { is_exact: true, references, ..attribute(name, Kind::Reference, about) }
}

pub(super) const fn complex(name: &'static str, children: &'static [Attribute], about: &'static str) -> Attribute {
    Attribute { children, ..attribute(name, Kind::Complex, about) }
}

impl Attribute {
    pub(super) const fn many(self) -> Self {
        Self { is_many: true, ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    pub(super) const fn exact(self) -> Self {
        Self { is_exact: true, ..self }
    }

    /// Among all resources of the kind.
    pub(super) const fn unique(self) -> Self {
        Self { is_unique: true, ..self }
    }

    pub(super) const fn always(self) -> Self {
        Self { returned: Returned::Always, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { returned: Returned::Never, mutability: Mutability::WriteOnly, ..self }
    }

    pub(super) const fn read_only(self) -> Self {
        Self { mutability: Mutability::ReadOnly, ..self }
    }

    pub(super) const fn immutable(self) -> Self {
        Self { mutability: Mutability::Immutable, ..self }
    }

    pub(super) const fn usually(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    /// The child of that name, in any case.
    pub(super) fn child(&self, name: &str) -> Option<&'static Self> {
        named(self.children, name)
    }

    /// As `/Schemas` shows it.
    pub(super) fn json(&self) -> Value {
        let kind = match self.kind {
            Kind::Text => "string",
            Kind::Boolean => "boolean",
            Kind::Instant => "dateTime",
            Kind::Binary => "binary",
            Kind::Reference => "reference",
            Kind::Complex => "complex",
        };
        let mutability = match self.mutability {
            Mutability::ReadWrite => "readWrite",
            Mutability::ReadOnly => "readOnly",
            Mutability::Immutable => "immutable",
            Mutability::WriteOnly => "writeOnly",
        };
        let returned = match self.returned {
            Returned::Always => "always",
            Returned::Default => "default",
            Returned::Never => "never",
        };
        let mut shown = json!({"name": self.name, "type": kind, "multiValued": self.is_many, "description": self.about,
            "required": self.is_required, "caseExact": self.is_exact, "mutability": mutability, "returned": returned,
            "uniqueness": if self.is_unique { "server" } else { "none" }});
        if !self.values.is_empty() {
            shown["canonicalValues"] = json!(self.values);
        }
        if !self.references.is_empty() {
            shown["referenceTypes"] = json!(self.references);
        }
        if !self.children.is_empty() {
            shown["subAttributes"] = self.children.iter().map(Self::json).collect();
        }
        shown
    }
}

/// The attribute of that name, in any case.
pub(super) fn named(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}
