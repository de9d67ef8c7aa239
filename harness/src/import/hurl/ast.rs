//! What a Hurl file says, reduced to what has a meaning.

use located::Place;

/// One request and what is said of its response.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    /// The comments that stand directly above it.
    pub(super) comments: Vec<String>,
    pub(super) method: String,
    pub(super) url: Template,
    pub(super) headers: Vec<Pair>,
    pub(super) query: Vec<Pair>,
    pub(super) form: Vec<Pair>,
    pub(super) multipart: Vec<Part>,
    pub(super) cookies: Vec<Pair>,
    pub(super) basic_auth: Option<Pair>,
    pub(super) options: Vec<EntryOption>,
    pub(super) body: Option<Body>,
    pub(super) response: Option<Response>,
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) version: Option<&'static str>,
    /// `None` is `*`.
    pub(super) status: Option<u64>,
    pub(super) headers: Vec<Pair>,
    pub(super) captures: Vec<Capture>,
    pub(super) asserts: Vec<Assert>,
    pub(super) body: Option<Body>,
}

/// A text with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template(pub(super) Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    Variable { name: String, place: Place },
    NewUuid,
    NewDate,
}

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) key: Template,
    pub(super) value: Template,
}

/// One part of a multipart form.
#[derive(Debug)]
pub(super) enum Part {
    Field(Pair),
    File { place: Place, key: Template, file: Template, content_type: Option<Template> },
}

#[derive(Debug)]
pub(super) struct EntryOption {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) value: OptionValue,
}

#[derive(Debug)]
pub(super) enum OptionValue {
    Bool(bool),
    Integer(i64),
    /// With the unit, where one is written.
    Duration(u64, Option<&'static str>),
    Text(Template),
    /// A placeholder where a boolean, a number or a duration may stand.
    Placeholder(Placeholder),
    Variable {
        name: String,
        value: VariableValue,
    },
}

#[derive(Clone, Debug)]
pub(super) enum VariableValue {
    Null,
    Bool(bool),
    Number(String),
    Text(Template),
}

#[derive(Debug)]
pub(super) struct Body {
    pub(super) place: Place,
    pub(super) kind: BodyKind,
}

#[derive(Debug)]
pub(super) enum BodyKind {
    /// The value, and the text as it is written: expectations compare the text.
    Json(Json, Template),
    Xml(Template),
    /// A text between backticks, one line or several.
    Text(Template, TextKind),
    Graphql {
        query: Template,
        variables: Option<(Json, Template)>,
    },
    Bytes(Vec<u8>),
    File(Template),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextKind {
    Plain,
    Json,
    Xml,
}

#[derive(Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(Template),
    Placeholder(Placeholder),
    List(Vec<Self>),
    Object(Vec<(Template, Self)>),
}

#[derive(Debug)]
pub(super) struct Capture {
    pub(super) place: Place,
    pub(super) name: Template,
    pub(super) query: Query,
    pub(super) filters: Vec<Filter>,
    pub(super) redact: bool,
}

#[derive(Debug)]
pub(super) struct Assert {
    pub(super) place: Place,
    pub(super) query: Query,
    pub(super) filters: Vec<Filter>,
    pub(super) not: bool,
    pub(super) predicate: Predicate,
}

#[derive(Debug)]
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) argument: Option<Argument>,
}

#[derive(Debug)]
pub(super) struct Filter {
    pub(super) name: &'static str,
    pub(super) arguments: Vec<Argument>,
}

#[derive(Debug)]
pub(super) enum Argument {
    Text(Template),
    /// Between slashes: no placeholders.
    Regex(String),
    Integer(i64),
    Placeholder(Placeholder),
    /// Of the query `cookie`: the name and the attribute in brackets.
    Cookie(Template, Option<String>),
}

#[derive(Debug)]
pub(super) struct Predicate {
    /// As it is written: `==`, `startsWith`, `isInteger`.
    pub(super) name: &'static str,
    pub(super) value: Option<PredicateValue>,
}

#[derive(Debug)]
pub(super) enum PredicateValue {
    Null,
    Bool(bool),
    Number(String),
    Text(Template),
    Regex(String),
    Bytes(Vec<u8>),
    File(Template),
    Placeholder(Placeholder),
}

impl Template {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// The text, where there is no placeholder in it.
    pub(super) fn literal(&self) -> Option<String> {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Placeholder(_) => None,
        };
        self.0.iter().map(piece).collect()
    }

    pub(super) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder(placeholder) => Some(placeholder),
            Piece::Text(_) => None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
