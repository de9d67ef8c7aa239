//! One call of an operation: what was asked, read by the surface, and the context in which it is answered.

use super::{
    errors::StripeError,
    lists::{self, Page},
    resource::Resource,
    row::fill,
    surface::{Field, read, surface},
};
use crate::{
    http::{Content, Fields, Request},
    json::{Value, json},
    twin::Context,
};

pub(super) struct Call<'r, 'c, 'i> {
    pub(super) context: &'c mut Context<'i>,
    pub(super) request: &'r Request,
    /// The typed parameters; one that is null was emptied by the client.
    given: Value,
    /// Remembers which parameters the operation reads, so that the journal can name the others.
    reads: Fields<'r>,
}

/// What an operation is, for `Stripe::serve`.
pub(super) enum Action {
    /// Shows an object, changes one, and so on, by the table of resources alone.
    Retrieve(Resource),
    Update(Resource),
    Delete(Resource),
    List(Resource),
    Search(Resource),
    /// By its own rule.
    Rule(fn(&mut super::Stripe, &mut Call<'_, '_, '_>) -> Made),
}

/// The object that answers, before its references are expanded.
pub(super) type Made = Result<Value, StripeError>;

impl<'r, 'c, 'i> Call<'r, 'c, 'i> {
    pub(super) fn read(
        context: &'c mut Context<'i>,
        request: &'r Request,
        operation: &str,
    ) -> Result<Self, StripeError> {
        if request.method == "POST" && !matches!(request.content, Content::Form(_) | Content::Empty) {
            return Err(StripeError::invalid(
                "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have any questions, we can help at https://support.stripe.com/.",
            ));
        }
        let reads = request.tracked();
        reads.get("expand");
        let given = read(surface().params(operation), request.fields())?;
        Ok(Self { context, request, given, reads })
    }

    pub(super) fn id(&self) -> &'r str {
        self.request.param("id")
    }

    pub(super) fn now(&self) -> i64 {
        self.context.unix()
    }

    /// A parameter, or null.
    pub(super) fn value(&self, name: &str) -> &Value {
        self.reads.get(name);
        &self.given[name]
    }

    /// A parameter, if it was given at all, be it to unset something.
    pub(super) fn sent(&self, name: &str) -> Option<&Value> {
        self.reads.get(name);
        self.given.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'r str> {
        self.reads.names().filter(|name| *name != "expand")
    }

    /// For what only looks at parameters that other code reads.
    pub(super) fn parameters(&self) -> &Value {
        &self.given
    }

    /// All parameters, for an operation that hands them on.
    pub(super) fn all(&self) -> Value {
        self.mark(|_| true);
        self.given.clone()
    }

    /// These parameters are read.
    fn mark(&self, read: impl Fn(&str) -> bool) {
        for name in self.names().filter(|name| read(name)) {
            self.reads.get(name);
        }
    }

    /// Takes a parameter away: for lists, where what is left is a filter.
    pub(super) fn set_aside(&mut self, name: &str) -> Value {
        self.reads.get(name);
        self.given.get_mut(name).map_or(Value::Null, Value::take)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).as_str()
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.value(name).as_i64()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.value(name).as_bool().unwrap_or_default()
    }

    pub(super) fn list(&self, name: &str) -> Vec<Value> {
        self.value(name).as_array().cloned().unwrap_or_default()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        !self.value(name).is_null()
    }

    /// Writes the parameters that are fields of `resource` into a row.
    pub(super) fn fill(&self, row: &mut Value, resource: Resource) {
        let fields = surface().object(resource.traits().object);
        self.mark(|name| Field::find(fields, name).is_some());
        fill(row, fields, &self.given);
    }

    /// A positive amount in the smallest unit of the currency.
    pub(super) fn amount(&self, name: &str) -> Result<Option<i64>, StripeError> {
        match self.int(name) {
            Some(..1) => Err(StripeError::invalid("This value must be greater than or equal to 1.")
                .code("parameter_invalid_integer")
                .param(name)),
            amount => Ok(amount),
        }
    }

    /// One page of `rows`, which are newest first, each as `show` shows it.
    pub(super) fn page<'v>(&self, rows: impl Iterator<Item = &'v Value>, show: impl Fn(&Value) -> Value) -> Made {
        self.mark(|name| name != lists::UNREAD);
        let rows: Vec<_> = rows.filter(|row| lists::fits(row, &self.given)).collect();
        let Page { rows, has_more } = lists::cut(&self.given, &rows)?;
        let data: Vec<Value> = rows.iter().map(|row| show(row)).collect();
        Ok(json!({"object": "list", "data": data, "has_more": has_more, "url": self.request.path}))
    }
}
