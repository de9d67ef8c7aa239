//! `SendGrid`: takes mail and keeps it. API v3, `POST /v3/mail/send`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    http::{Content, Reply, Request},
    twin::{Answer, Context, Manifest, Operation, Refusal, Twin, check_secret, operations},
};

const HELP: &str = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    api_key: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { api_key: "SG.twin".to_owned() }
    }
}

#[derive(Clone)]
pub(super) struct Sendgrid {
    api_key: String,
    messages: Vec<Message>,
}

/// An accepted message, flat, so that an assertion needs no knowledge of personalizations.
#[derive(Clone, Serialize)]
struct Message {
    id: String,
    to: Vec<String>,
    from: String,
    subject: String,
    /// All text parts, joined by newlines.
    text: String,
    html: String,
    accepted_at: Timestamp,
}

impl Sendgrid {
    pub(super) fn open(config: Config) -> Self {
        Self { api_key: config.api_key, messages: Vec::new() }
    }

    fn send(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let Content::Json(mail) = &request.content else {
            return Err(errors(415, [problem("Content-Type should be application/json.", "")]));
        };
        let problems = problems(mail);
        if !problems.is_empty() {
            return Err(errors(400, problems));
        }
        let id = context.id("", 22);
        for personalization in array(mail, "personalizations") {
            self.messages.push(message(mail, personalization, id.clone(), context.now));
        }
        Ok(Reply::empty(202).header("x-message-id", id))
    }
}

impl Twin for Sendgrid {
    const MANIFEST: Manifest =
        Manifest { name: "sendgrid", api_version: "v3", body_bytes_max: 30 * 1024 * 1024, actions: &[] };
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "mail.send" "POST" "/v3/mail/send" Self::send;
    };

    fn authenticate(&self, request: &Request, _operation: &str) -> Result<(), Refusal> {
        let given = request.bearer().ok_or(Refusal::CredentialsMissing)?;
        check_secret(given, &self.api_key)
    }

    fn refuse(&self, context: &Context<'_>, refusal: &Refusal) -> Reply {
        match refusal {
            Refusal::CredentialsMissing => errors(401, [bare("Permission denied, wrong credentials")]),
            Refusal::CredentialsWrong | Refusal::CredentialsExpired => {
                errors(401, [bare("The provided authorization grant is invalid, expired, or revoked")])
            }
            Refusal::Unimplemented { method, path } => {
                errors(501, [bare(&format!("the sendgrid twin does not implement {method} {path}"))])
            }
            Refusal::BodyTooLarge { bytes_max } => {
                errors(413, [bare(&format!("The JSON payload is larger than {bytes_max} bytes"))])
            }
            Refusal::BodyMalformed { .. } => errors(400, [bare("Bad Request")]),
            Refusal::RateLimited { retry_after_s } => errors(429, [bare("too many requests")])
                .header("x-ratelimit-limit", "600")
                .header("x-ratelimit-remaining", "0")
                .header("x-ratelimit-reset", context.unix().saturating_add_unsigned(*retry_after_s).to_string())
                .header("retry-after", retry_after_s.to_string()),
            Refusal::Status(status) => errors(*status, [bare(reason(*status))]),
            Refusal::IdempotencyMismatch { .. } | Refusal::IdempotencyInUse { .. } | Refusal::IdempotencyKeyTooLong => {
                errors(400, [bare("Bad Request")])
            }
        }
    }

    fn decorate(&self, _context: &Context<'_>, _request: &Request, reply: &mut Reply) {
        reply.set("server", "nginx");
    }

    fn state(&self) -> Value {
        json!({ "messages": self.messages })
    }

    fn act(&mut self, _: &mut Context<'_>, action: &str, _: &Value) -> Result<Value, String> {
        Err(format!("unknown action `{action}`"))
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        403 => "access forbidden",
        503 => "The service is temporarily unavailable",
        _ => "An unexpected error has occurred",
    }
}

fn message(mail: &Value, personalization: &Value, id: String, accepted_at: Timestamp) -> Message {
    let part = |kind: &str| {
        let parts = array(mail, "content").iter().filter(|part| part["type"] == kind);
        parts.filter_map(|part| part["value"].as_str()).collect::<Vec<_>>().join("\n")
    };
    let subject = personalization["subject"].as_str().or_else(|| mail["subject"].as_str()).unwrap_or_default();
    Message {
        id,
        to: array(personalization, "to").iter().filter_map(|to| Some(to["email"].as_str()?.to_owned())).collect(),
        from: mail["from"]["email"].as_str().unwrap_or_default().to_owned(),
        subject: subject.to_owned(),
        text: part("text/plain"),
        html: part("text/html"),
        accepted_at,
    }
}

/// What the service would complain about, in its order.
fn problems(mail: &Value) -> Vec<Value> {
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

fn array<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn problem(message: &str, field: &str) -> Value {
    let help = if field.is_empty() { Value::Null } else { json!(format!("{HELP}#message.{field}")) };
    json!({"message": message, "field": if field.is_empty() { Value::Null } else { json!(field) }, "help": help})
}

fn bare(message: &str) -> Value {
    problem(message, "")
}

fn errors(status: u16, problems: impl Into<Vec<Value>>) -> Reply {
    Reply::json(status, &json!({ "errors": problems.into() }))
}
