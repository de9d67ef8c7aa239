//! Reading form fields the way Stripe does: text everywhere, unknown names refused.

use serde_json::{Map, Value};

use super::errors::StripeError;
use crate::http::Fields;

/// The fields of one request.
#[derive(Clone, Copy)]
pub(super) struct Params<'a>(Fields<'a>);

impl<'a> Params<'a> {
    /// Refuses names that the operation does not know; `expand` is known everywhere.
    pub(super) fn new(fields: impl Into<Fields<'a>>, known: &[&str]) -> Result<Self, StripeError> {
        let fields = fields.into();
        for name in fields.names() {
            if name != "expand" && !known.contains(&name) {
                let error = StripeError::invalid(format!("Received unknown parameter: {name}"));
                return Err(error.code("parameter_unknown").param(name));
            }
        }
        Ok(Self(fields))
    }

    pub(super) fn raw(&self, name: &str) -> &'a Value {
        self.0.get(name)
    }

    /// An empty text counts as not given.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, StripeError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(StripeError::invalid(format!("Invalid boolean: {other}")).param(name)),
        }
    }

    /// A positive amount in the smallest unit of the currency.
    pub(super) fn amount(&self, name: &str) -> Result<Option<i64>, StripeError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let amount: i64 = text.parse().map_err(|_| {
            StripeError::invalid(format!("Invalid integer: {text}")).code("parameter_invalid_integer").param(name)
        })?;
        match amount {
            1.. => Ok(Some(amount)),
            _ => Err(StripeError::invalid("This value must be greater than or equal to 1.")
                .code("parameter_invalid_integer")
                .param(name)),
        }
    }

    pub(super) fn metadata(&self) -> Map<String, Value> {
        self.0.get("metadata").as_object().cloned().unwrap_or_default()
    }
}
