//! One call of a method: its arguments, wherever they came from, and who asks.

use serde_json::{Map, Value};

use super::{errors::Failure, gate::Actor, operations::Method};
use crate::{
    http::{Content, Fields, Part, Request},
    twin::Context,
};

/// The object that answers, without its `ok`.
pub(super) type Made = Result<Value, Failure>;

pub(super) struct Call<'r, 'c, 'i> {
    pub(super) context: &'c mut Context<'i>,
    pub(super) request: &'r Request,
    pub(super) method: &'r Method,
    pub(super) actor: &'r Actor,
    arguments: Fields<'r>,
}

/// The parts of a multipart body that are arguments, or null.
pub(super) fn parts(request: &Request) -> Value {
    let Content::Multipart(parts) = &request.content else { return Value::Null };
    let texts = parts.iter().filter(|part| part.file_name.is_none());
    let text = |part: &Part| (part.name.clone(), String::from_utf8_lossy(&part.bytes).into_owned().into());
    texts.map(text).collect::<Map<_, _>>().into()
}

impl<'r, 'c, 'i> Call<'r, 'c, 'i> {
    pub(super) fn new(
        context: &'c mut Context<'i>,
        request: &'r Request,
        parts: &'r Value,
        method: &'r Method,
        actor: &'r Actor,
    ) -> Self {
        let arguments = if parts.is_null() { request.tracked() } else { parts.into() };
        Self { context, request, method, actor, arguments }
    }

    /// Null where it is not given. The query counts beside a body.
    pub(super) fn value(&self, name: &str) -> &'r Value {
        match self.arguments.get(name) {
            Value::Null => &self.request.query[name],
            value => value,
        }
    }

    /// Empty is not given.
    pub(super) fn text(&self, name: &str) -> Option<&'r str> {
        self.value(name).as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(super) fn need(&self, name: &str) -> Result<&'r str, Failure> {
        self.text(name).ok_or_else(|| Failure::argument(&format!("missing required field: {name}")))
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        let value = self.value(name);
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(flag) => *flag,
            Value::String(text) => matches!(text.as_str(), "true" | "1"),
            Value::Number(number) => number.as_i64() == Some(1),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// Names with commas between them, or a list.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::String(text) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        }
    }

    /// In a form and in the query, structures travel as JSON text.
    pub(super) fn structure(&self, name: &str, otherwise: &'static str) -> Result<Value, Failure> {
        match self.value(name) {
            Value::String(text) if text.is_empty() => Ok(Value::Null),
            Value::String(text) => serde_json::from_str(text).map_err(|_| otherwise.into()),
            other => Ok(other.clone()),
        }
    }

    /// All arguments, as they came.
    pub(super) fn arguments(&self) -> Value {
        let in_query = self.request.query.as_object().into_iter().flat_map(|query| query.keys().map(String::as_str));
        let all = self.arguments.names().chain(in_query);
        all.filter(|name| *name != "token").map(|name| (name.to_owned(), self.value(name).clone())).collect()
    }
}
