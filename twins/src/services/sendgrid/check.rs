//! What the service would complain about, in its order.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{Sendgrid, errors::problem, message::array};

const PERSONALIZATIONS_MAX: usize = 1_000;
const RECIPIENTS_MAX: usize = 1_000; // over all personalizations
const CATEGORIES_MAX: usize = 10;
const AHEAD_MAX_S: i64 = 72 * 3_600;

impl Sendgrid {
    pub(super) fn problems(&self, mail: &Value, now: i64) -> Vec<Value> {
        let mut found = all(mail);
        limits(mail, &mut found);
        times(mail, now, &mut found);
        let batch = mail["batch_id"].as_str();
        if batch.is_some_and(|batch| !self.batches.contains(batch)) {
            found.push(problem("invalid batch id", "batch_id"));
        }
        found
    }
}

/// How many of what there may be.
fn limits(mail: &Value, found: &mut Vec<Value>) {
    let personalizations = array(mail, "personalizations");
    let recipients = personalizations.iter().flat_map(|one| ["to", "cc", "bcc"].map(|list| array(one, list).len()));
    if personalizations.len() > PERSONALIZATIONS_MAX || recipients.sum::<usize>() > RECIPIENTS_MAX {
        found.push(problem("The total number of recipients is over the limit of 1000.", "personalizations"));
    }
    if array(mail, "categories").len() > CATEGORIES_MAX {
        found.push(problem("The maximum number of categories is 10.", "categories"));
    }
    for (n, attachment) in array(mail, "attachments").iter().enumerate() {
        let content = attachment["content"].as_str().unwrap_or_default();
        if content.is_empty() || BASE64_STANDARD.decode(content).is_err() {
            let field = format!("attachments.{n}.content");
            found.push(problem("The attachment content must be base64 encoded.", &field));
        }
        if attachment["filename"].as_str().is_none_or(str::is_empty) {
            let field = format!("attachments.{n}.filename");
            found.push(problem("The filename parameter is required for each attachment.", &field));
        }
    }
}

fn times(mail: &Value, now: i64, found: &mut Vec<Value>) {
    let own = array(mail, "personalizations").iter().map(|one| &one["send_at"]);
    let is_wrong = |at: &&Value| !at.is_null() && at.as_i64().is_none_or(|at| at > now + AHEAD_MAX_S);
    if std::iter::once(&mail["send_at"]).chain(own).find(is_wrong).is_some() {
        found
            .push(problem("The send_at parameter must be a unix timestamp at most 72 hours in the future.", "send_at"));
    }
}

/// What is missing or malformed.
fn all(mail: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let personalizations = array(mail, "personalizations");
    if personalizations.is_empty() {
        found.push(problem(
            "The personalizations field is required and must have at least one personalization.",
            "personalizations",
        ));
    }
    for (index, personalization) in personalizations.iter().enumerate() {
        recipients(personalization, index, &mut found);
    }
    if !is_address(&mail["from"]) {
        found.push(problem("The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a name parameter.  e.g. {\"email\" : \"example@example.com\"}  or {\"email\" : \"example@example.com\", \"name\" : \"Example Recipient\"}.", "from.email"));
    }
    let has_template = mail["template_id"].is_string();
    let has_subject = |value: &Value| value["subject"].as_str().is_some_and(|subject| !subject.is_empty());
    let each_has_one = !personalizations.is_empty() && personalizations.iter().all(has_subject);
    if !has_template && !has_subject(mail) && !each_has_one {
        found.push(problem("The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined.", "subject"));
    }
    if !has_template {
        contents(mail, &mut found);
    }
    found
}

fn recipients(personalization: &Value, index: usize, found: &mut Vec<Value>) {
    let to = array(personalization, "to");
    if to.is_empty() {
        let field = format!("personalizations.{index}.to");
        found.push(problem("The to array is required for all personalization objects, and must have at least one email object with a valid email address.", &field));
    }
    for (n, address) in to.iter().enumerate().filter(|(_, address)| !is_address(address)) {
        let field = format!("personalizations.{index}.to.{n}.email");
        let given = address["email"].as_str().unwrap_or_default();
        let text =
            if given.is_empty() { "The email parameter is required." } else { "Does not contain a valid address." };
        found.push(problem(text, &field));
    }
}

fn contents(mail: &Value, found: &mut Vec<Value>) {
    let parts = array(mail, "content");
    if parts.is_empty() {
        found.push(problem("Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block. We typically suggest both text/plain and text/html blocks are included, but only one block is required.", "content"));
    }
    for (n, part) in parts.iter().enumerate() {
        if part["value"].as_str().is_none_or(str::is_empty) {
            found.push(problem(
                "The content value must be a string at least one character in length.",
                &format!("content.{n}.value"),
            ));
        }
    }
}

fn is_address(value: &Value) -> bool {
    let Some((local, domain)) = value["email"].as_str().and_then(|email| email.rsplit_once('@')) else { return false };
    !local.is_empty() && domain.contains('.') && !domain.contains(char::is_whitespace)
}
