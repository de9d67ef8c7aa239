//! Signing in: PLAIN and LOGIN, with and without an initial response. The questions on the way are no calls; what came of
//! them is one.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::session::Over;
use crate::wire::{Line, Read};

const ANSWER_BYTES_MAX: usize = 12_288; // what RFC 4954 allows

/// What a client gave.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    mechanism: String,
    pub(super) user: Option<String>,
    /// Of the password, so that the journal never has the password.
    pub(super) proof: String,
    outcome: Outcome,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Outcome {
    #[default]
    Given,
    Aborted,
    /// Not what the mechanism wants.
    Malformed,
}

impl Attempt {
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({"mechanism": self.mechanism});
        match self.outcome {
            Outcome::Given => shown["user"] = json!(self.user),
            Outcome::Aborted => shown["aborted"] = true.into(),
            Outcome::Malformed => shown["malformed"] = true.into(),
        }
        shown
    }

    fn with(mut self, user: &str, password: &str) -> Self {
        self.user = Some(user.to_owned());
        self.proof = proof(password);
        self
    }

    fn failed(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }
}

pub(super) fn proof(password: &str) -> String {
    blake3::hash(password.as_bytes()).to_hex().to_string()
}

/// Asks for what is missing. Where the client `may` not sign in now, nothing is asked.
pub(super) async fn attempt(line: &mut Line, argument: &str, may: bool) -> Result<Attempt, Over> {
    let (mechanism, initial) = match argument.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.trim())),
        None => (argument, None),
    };
    let attempt = Attempt { mechanism: mechanism.to_ascii_uppercase(), ..Attempt::default() };
    if !may {
        return Ok(attempt);
    }
    match attempt.mechanism.as_str() {
        "PLAIN" => plain(line, attempt, initial).await,
        "LOGIN" => login(line, attempt, initial).await,
        _ => Ok(attempt),
    }
}

async fn plain(line: &mut Line, attempt: Attempt, initial: Option<&str>) -> Result<Attempt, Over> {
    let given = match initial {
        Some(initial) => initial.to_owned(),
        None => answer(line, "").await?,
    };
    Ok(match decoded(&given) {
        Err(outcome) => attempt.failed(outcome),
        Ok(text) => match text.split('\0').collect::<Vec<_>>()[..] {
            // Whom to act as, who one is, and the proof.
            [_, user, password] if !user.is_empty() => attempt.with(user, password),
            _ => attempt.failed(Outcome::Malformed),
        },
    })
}

async fn login(line: &mut Line, attempt: Attempt, initial: Option<&str>) -> Result<Attempt, Over> {
    let user = match initial {
        Some(initial) => initial.to_owned(),
        None => answer(line, "VXNlcm5hbWU6").await?,
    };
    let user = match decoded(&user) {
        Ok(user) => user,
        Err(outcome) => return Ok(attempt.failed(outcome)),
    };
    let password = answer(line, "UGFzc3dvcmQ6").await?;
    Ok(match decoded(&password) {
        Ok(password) => attempt.with(&user, &password),
        Err(outcome) => attempt.failed(outcome),
    })
}

async fn answer(line: &mut Line, question: &str) -> Result<String, Over> {
    line.write(format!("334 {question}\r\n").as_bytes()).await.map_err(|_| Over)?;
    match line.line(ANSWER_BYTES_MAX).await {
        Read::Line(given) => Ok(String::from_utf8_lossy(&given).into_owned()),
        Read::Silence | Read::Gone => Err(Over),
    }
}

fn decoded(given: &str) -> Result<String, Outcome> {
    if given == "*" {
        return Err(Outcome::Aborted);
    }
    let given = if given == "=" { "" } else { given };
    let bytes = BASE64_STANDARD.decode(given).map_err(|_| Outcome::Malformed)?;
    String::from_utf8(bytes).map_err(|_| Outcome::Malformed)
}
