//! Who gets no mail any more, and why.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Sendgrid,
    errors::{bare, errors, problem},
    message::array,
};
use crate::{
    http::{Content, Reply, Request},
    twin::{Answer, Context},
};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Blocks,
    Bounces,
    InvalidEmails,
    SpamReports,
    Unsubscribes,
}

#[derive(Clone)]
pub(super) struct Suppression {
    created: i64,
    reason: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Befallen {
    email: String,
}

impl List {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Blocks, "blocks"),
        (Self::Bounces, "bounces"),
        (Self::InvalidEmails, "invalid_emails"),
        (Self::SpamReports, "spam_reports"),
        (Self::Unsubscribes, "unsubscribes"),
    ];

    fn of(request: &Request) -> Result<Self, Reply> {
        let name = request.param("list");
        let found = Self::ALL.into_iter().find(|(_, known)| *known == name);
        found.map(|(list, _)| list).ok_or_else(|| {
            let gap = format!("the sendgrid twin does not implement {} {}", request.method, request.path);
            errors(501, [bare(&gap)])
        })
    }
}

impl Suppression {
    fn shown(&self, email: &str) -> Value {
        json!({"email": email, "created": self.created, "reason": self.reason, "status": "5.1.1"})
    }
}

impl Sendgrid {
    pub(super) fn list_suppressions(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let list = List::of(request)?;
        let rows = self.suppressions.get(&list).into_iter().flatten();
        Ok(Reply::json(200, &rows.map(|(email, row)| row.shown(email)).collect::<Vec<_>>()))
    }

    pub(super) fn show_suppression(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let (list, email) = (List::of(request)?, request.param("email"));
        let row = self.suppressions.get(&list).and_then(|rows| rows.get(email));
        Ok(Reply::json(200, &row.map(|row| row.shown(email)).into_iter().collect::<Vec<_>>()))
    }

    pub(super) fn delete_suppression(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.forgive(List::of(request)?, request.param("email"))
    }

    pub(super) fn add_unsubscribes(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let Content::Json(body) = &request.content else { return Err(errors(400, [bare("Bad Request")])) };
        let emails = array(body, "recipient_emails");
        if emails.is_empty() {
            return Err(errors(400, [problem("recipient_emails is required", "recipient_emails")]));
        }
        for email in emails.iter().filter_map(Value::as_str) {
            self.suppress(List::Unsubscribes, email, "", context.unix());
        }
        Ok(Reply::json(201, &json!({ "recipient_emails": emails })))
    }

    pub(super) fn show_unsubscribe(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let email = request.param("email");
        let is_there = self.suppressions.get(&List::Unsubscribes).is_some_and(|rows| rows.contains_key(email));
        Ok(Reply::json(200, &if is_there { json!({ "recipient_email": email }) } else { json!({}) }))
    }

    pub(super) fn delete_unsubscribe(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.forgive(List::Unsubscribes, request.param("email"))
    }

    /// In the words of events.
    pub(super) fn why_suppressed(&self, email: &str) -> &'static str {
        let email = email.to_lowercase();
        let has = |list| self.suppressions.get(&list).is_some_and(|rows| rows.contains_key(&email));
        if has(List::Unsubscribes) {
            "Unsubscribed Address"
        } else if has(List::SpamReports) {
            "Spam Reporting Address"
        } else if has(List::InvalidEmails) {
            "Invalid"
        } else {
            "Bounced Address"
        }
    }

    pub(super) fn is_suppressed(&self, email: &str) -> bool {
        self.suppressions.values().any(|rows| rows.contains_key(&email.to_lowercase()))
    }

    /// A recipient's doing: `{"email": …}`.
    pub(super) fn befalls(
        &mut self,
        context: &mut Context<'_>,
        action: &str,
        argument: &Value,
    ) -> Result<Value, String> {
        let (list, reason) = match action {
            "bounce" => (List::Bounces, "550 5.1.1 The email account that you tried to reach does not exist."),
            "block" => (List::Blocks, "421 4.7.0 The message was refused for now."),
            "report_spam" => (List::SpamReports, ""),
            "unsubscribe" => (List::Unsubscribes, ""),
            _ => return Err(format!("unknown action `{action}`")),
        };
        let befallen: Befallen = serde_json::from_value(argument.clone()).map_err(|error| error.to_string())?;
        self.suppress(list, &befallen.email, reason, context.unix());
        self.tell_of_refusal(context, action, &befallen.email, reason);
        Ok(json!({}))
    }

    pub(super) fn suppressions_state(&self) -> Value {
        let emails = |list| self.suppressions.get(&list).map(|rows: &BTreeMap<_, _>| rows.keys().collect::<Vec<_>>());
        let shown = List::ALL.into_iter().filter_map(|(list, name)| Some((name.to_owned(), json!(emails(list)?))));
        shown.collect::<Map<_, _>>().into()
    }

    fn suppress(&mut self, list: List, email: &str, reason: &'static str, created: i64) {
        self.suppressions.entry(list).or_default().insert(email.to_lowercase(), Suppression { created, reason });
    }

    fn forgive(&mut self, list: List, email: &str) -> Answer {
        let removed = self.suppressions.get_mut(&list).and_then(|rows| rows.remove(&email.to_lowercase()));
        removed.map(|_| Reply::empty(204)).ok_or_else(|| errors(404, [bare("resource not found")]))
    }
}
