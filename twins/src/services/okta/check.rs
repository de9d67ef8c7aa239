//! What must be right in a body before a row is made of it.

use serde_json::{Map, Value};

use super::{
    Okta,
    errors::{BODY_MALFORMED, failed, invalid},
};
use crate::{
    http::{Content, Reply, Request},
    twin::Context,
};

const PASSWORD_CHARS_MIN: usize = 8; // of the default policy

/// The object that a body is.
pub(super) fn body(context: &Context<'_>, request: &Request) -> Result<Map<String, Value>, Reply> {
    match &request.content {
        Content::Json(Value::Object(map)) => Ok(map.clone()),
        _ => Err(failed(context, BODY_MALFORMED)),
    }
}

/// A member that is an object; one that is not there is empty.
pub(super) fn object(body: &Map<String, Value>, name: &str) -> Map<String, Value> {
    body.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Sets what is given; null takes away.
pub(super) fn merge(profile: &mut Map<String, Value>, given: &Map<String, Value>) {
    for (name, value) in given {
        if value.is_null() {
            profile.remove(name);
        } else {
            profile.insert(name.clone(), value.clone());
        }
    }
}

fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !text.contains(char::is_whitespace))
}

/// What is wrong with a profile, field by field.
fn causes(profile: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let text = |name: &str| profile.get(name).and_then(Value::as_str).unwrap_or_default();
    let required = ["login", "email", "firstName", "lastName"].into_iter();
    let mut causes: Vec<_> = required
        .filter(|name| text(name).is_empty())
        .map(|name| (name, format!("{name}: The field cannot be left blank")))
        .collect();
    if !text("login").is_empty() && !is_address(text("login")) {
        causes.push(("login", "login: Username must be in the form of an email address".to_owned()));
    }
    if !text("email").is_empty() && !is_address(text("email")) {
        causes.push(("email", "email: Does not match required pattern".to_owned()));
    }
    causes
}

impl Okta {
    /// `id` is whose profile it is; none: of someone new.
    pub(super) fn check_profile(
        &self,
        context: &Context<'_>,
        profile: &Map<String, Value>,
        id: Option<&str>,
    ) -> Result<(), Reply> {
        let mut causes = causes(profile);
        let login = profile.get("login").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        if self.logins.get(&login).is_some_and(|owner| Some(owner.as_str()) != id) {
            let taken = "login: An object with this field already exists in the current organization";
            causes.push(("login", taken.to_owned()));
        }
        let Some((field, _)) = causes.first() else { return Ok(()) };
        let field = *field;
        Err(invalid(context, field, &causes.into_iter().map(|(_, cause)| cause).collect::<Vec<_>>()))
    }
}

/// The password that `credentials` bring.
pub(super) fn password(context: &Context<'_>, given: &Value) -> Result<Option<String>, Reply> {
    let Some(password) = given["password"]["value"].as_str().or_else(|| given["password"].as_str()) else {
        return Ok(None);
    };
    check_password(context, password)?;
    Ok(Some(password.to_owned()))
}

pub(super) fn check_password(context: &Context<'_>, password: &str) -> Result<(), Reply> {
    if password.chars().count() >= PASSWORD_CHARS_MIN {
        return Ok(());
    }
    let cause = format!(
        "password: Password requirements were not met. Password requirements: at least {PASSWORD_CHARS_MIN} characters."
    );
    Err(invalid(context, "password", &[cause]))
}
