//! Whether one predicate holds of a value, and how to say what it asks for.

use serde_json::Value as Json;

use super::{Fit, Predicate, Value};
use crate::{
    expect::{shown, value::written_bytes},
    text::{Node, RenderError, Scope},
};

impl Predicate {
    /// What was expected, in words, where `got` is not it; `None` where it is.
    pub(super) fn refuses(&self, got: Option<&Value>, scope: &Scope) -> Result<Option<(String, Fit)>, RenderError> {
        Ok(match self.judge(got, scope)? {
            (Fit::Yes, _) => None,
            (fit, words) => Some((words, fit)),
        })
    }

    fn judge(&self, got: Option<&Value>, scope: &Scope) -> Result<(Fit, String), RenderError> {
        // What is not there is nothing, of no type and of no length.
        let on = |test: &dyn Fn(&Value) -> Fit| got.map_or(Fit::No, test);
        Ok(match self {
            Self::Is(text) => {
                let wanted = scope.text(text)?;
                let is_same = |got: &Value| Fit::of(is_text(got, &wanted));
                (on(&is_same), shown(&Json::String(wanted)))
            }
            Self::Equals(node) => {
                let wanted = scope.node(node)?;
                (on(&|got| Fit::of(got.equals(&wanted))), shown(&wanted))
            }
            Self::NotEquals(node) => {
                let wanted = scope.node(node)?;
                (on(&|got| Fit::of(!got.equals(&wanted))), format!("anything but {}", shown(&wanted)))
            }
            Self::Contains(node) => {
                let wanted = scope.node(node)?;
                (on(&|got| contains(got, &wanted)), format!("to contain {}", shown(&wanted)))
            }
            Self::NotContains(node) => {
                let wanted = scope.node(node)?;
                (on(&|got| contains(got, &wanted).negated()), format!("not to contain {}", shown(&wanted)))
            }
            Self::StartsWith(node) => edge(node, on, scope, "to start with", <[u8]>::starts_with)?,
            Self::EndsWith(node) => edge(node, on, scope, "to end with", <[u8]>::ends_with)?,
            Self::Matches(pattern) => {
                let regex = pattern.regex(scope)?;
                let is_match = |got: &Value| got.as_str().map_or(Fit::Unfit, |text| Fit::of(regex.is_match(text)));
                (on(&is_match), format!("to match {:?}", regex.as_str()))
            }
            Self::Exists(wanted) => {
                let words = if *wanted { "something" } else { "nothing there" };
                (Fit::of(is_there(got) == *wanted), words.to_owned())
            }
            Self::Empty(wanted) => {
                let is_empty =
                    |got: &Value| got.length().map_or(Fit::Unfit, |length| Fit::of((length == 0) == *wanted));
                (on(&is_empty), if *wanted { "an empty value" } else { "a value that is not empty" }.to_owned())
            }
            Self::Type(wanted) => (on(&|got| wanted.fit(got)), wanted.words().to_owned()),
            Self::Length(bound) => match got.map(Value::length) {
                Some(Some(length)) => {
                    let refused = bound.refuses(length as f64, scope)?;
                    (Fit::of(refused.is_none()), format!("a length of {}", refused.unwrap_or_default()))
                }
                Some(None) => (Fit::Unfit, "a text, an array or an object".to_owned()),
                None => (Fit::No, "a text, an array or an object".to_owned()),
            },
            Self::Gt(node) => ordered(got, &scope.node(node)?, "more than", |order| order.is_gt()),
            Self::Gte(node) => ordered(got, &scope.node(node)?, "at least", |order| order.is_ge()),
            Self::Lt(node) => ordered(got, &scope.node(node)?, "less than", |order| order.is_lt()),
            Self::Lte(node) => ordered(got, &scope.node(node)?, "at most", |order| order.is_le()),
            Self::OneOf(nodes) => {
                let wanted = nodes.iter().map(|node| scope.node(node)).collect::<Result<Vec<_>, _>>()?;
                let is_one = |got: &Value| Fit::of(wanted.iter().any(|one| got.equals(one)));
                (on(&is_one), format!("one of {}", shown(&wanted.clone().into())))
            }
            Self::Not(inner) => {
                let mut words = Vec::new();
                let mut fit = Fit::Yes;
                for predicate in &inner.0 {
                    let (inner, said) = predicate.judge(got, scope)?;
                    fit = fit.and(inner.negated());
                    words.push(said);
                }
                (fit, format!("not {}", words.join(" and not ")))
            }
        })
    }
}

/// Whether a value is this text. A header that came several times is it where one of its values is.
fn is_text(got: &Value, wanted: &str) -> bool {
    match got {
        Value::Json(Json::Array(items)) => items.iter().any(|item| item.as_str() == Some(wanted)),
        got => got.plain().is_some_and(|plain| same_text(got, &plain, wanted)),
    }
}

/// Digits of a hash are equal in both cases of their letters.
fn same_text(got: &Value, plain: &str, wanted: &str) -> bool {
    match got {
        Value::Bytes(_) => plain.eq_ignore_ascii_case(wanted),
        Value::Json(_) | Value::Date(_) | Value::Nodes(_) => plain == wanted,
    }
}

/// An empty set of nodes is nothing.
fn is_there(got: Option<&Value>) -> bool {
    got.is_some_and(|got| !matches!(got, Value::Nodes(nodes) if nodes.is_empty()))
}

fn contains(got: &Value, wanted: &Json) -> Fit {
    match (got, wanted) {
        (Value::Json(Json::String(text)), Json::String(part)) => Fit::of(text.contains(part.as_str())),
        (Value::Json(Json::String(text)), Json::Number(part)) => Fit::of(text.contains(&part.to_string())),
        (Value::Json(Json::Array(items)), _) => Fit::of(items.iter().any(|item| crate::expect::same(wanted, item))),
        (Value::Json(Json::Object(map)), Json::String(key)) => Fit::of(map.contains_key(key)),
        (Value::Bytes(bytes), wanted) => match written_bytes(wanted) {
            Some(part) if part.is_empty() => Fit::Yes,
            Some(part) => Fit::of(bytes.windows(part.len()).any(|window| window == part)),
            None => Fit::Unfit,
        },
        _ => Fit::Unfit,
    }
}

/// The start or the end of a text or of bytes.
fn edge(
    node: &Node,
    on: impl Fn(&dyn Fn(&Value) -> Fit) -> Fit,
    scope: &Scope,
    words: &str,
    is_edge: fn(&[u8], &[u8]) -> bool,
) -> Result<(Fit, String), RenderError> {
    let wanted = scope.node(node)?;
    let fit = on(&|got| match got {
        Value::Bytes(bytes) => written_bytes(&wanted).map_or(Fit::Unfit, |edge| Fit::of(is_edge(bytes, &edge))),
        Value::Json(Json::String(text)) => {
            let edge = Value::Json(wanted.clone()).plain();
            edge.map_or(Fit::Unfit, |edge| Fit::of(is_edge(text.as_bytes(), edge.as_bytes())))
        }
        Value::Json(_) | Value::Date(_) | Value::Nodes(_) => Fit::Unfit,
    });
    Ok((fit, format!("{words} {}", shown(&wanted))))
}

fn ordered(got: Option<&Value>, limit: &Json, words: &str, fits: fn(std::cmp::Ordering) -> bool) -> (Fit, String) {
    let fit = got.map_or(Fit::No, |got| got.order(limit).map_or(Fit::Unfit, |order| Fit::of(fits(order))));
    (fit, format!("{words} {}", shown(limit)))
}
