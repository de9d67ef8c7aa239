//! `http`: a request to the subject, and what must come back.
//!
//! `file` is what is written, `request` what is sent, `exchange` how it goes (clients, redirects, bounds), `judge` what
//! must hold. Never addresses anything but the subject and the origins that `harness.yaml` lists.

mod beside;
mod client;
mod decode;
mod exchange;
mod file;
mod jar;
mod judge;
mod lower;
mod options;
mod payload;
mod request;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value as Json};
use tokio::time::timeout;

pub(crate) use client::{Clients, USER_AGENT};
pub(crate) use file::HttpFile;
pub(crate) use jar::CookieJar;

use super::{Captures, Halt, Kind, Outcome, Stage, Step, capture::CaptureRule, capture::capture};
use crate::{
    expect::{Material, Mismatch, cut},
    record::EVIDENCE_BODY_BYTES_MAX,
    scenario::Expect,
    text::{Entries, Node, Scope},
};
use client::Connection;
use exchange::{Ended, Exchange, Follow, Hop, Progress};
use file::JarMode;
use options::Options;
use request::{Draft, Request};

/// A longer body ends the step; nothing of it is asserted.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024; // decoded; larger than any API's answer
const SECRET_BYTES_MAX: usize = 4 * 1024; // a longer secret at the cut of a body might be shown in part

pub(super) const KIND: Kind = Kind {
    name: "http",
    needs: &[],
    takes: &[],
    expects: &[
        "status",
        "http_version",
        "headers",
        "cookies",
        "json",
        "json_exact",
        "jsonpath",
        "json_schema",
        "checks",
        "body",
        "body_bytes",
        "sha256",
        "md5",
        "certificate",
        "max_latency",
    ],
    captures: Captures::Values,
    lower: |parts, lower| Some(lower::lower(parts.file.http?, parts.expect, parts.captures, lower)),
};

#[derive(Debug)]
struct Http {
    draft: Draft,
    options: Options,
    follow: Option<Follow>,
    jar: JarMode,
    timeout: Duration,
    expect: Expect,
    captures: Entries<CaptureRule>,
}

#[async_trait]
impl Step for Http {
    fn kind(&self) -> &'static str {
        "http"
    }

    fn title(&self) -> String {
        format!("{} {}", self.draft.method, self.draft.path.value)
    }

    fn asserts(&self) -> bool {
        !self.expect.is_empty()
    }

    fn needs_subject(&self) -> bool {
        !self.draft.path.contains("://")
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let mut request = self.draft.fill(stage)?;
        let connection = self.options.fill(&stage.scope)?;
        request.options = self.shown_options(&connection);
        let mut progress = Progress::default();
        if self.jar == JarMode::Clear {
            stage.cookies.clear();
        }
        stage.secrets.learn(&request.secret.clone().into());
        let allowed = stage.origins();
        stage.session.requests += 1;
        let exchange = Exchange {
            clients: stage.actor.clients,
            connection,
            version: self.options.version,
            follow: self.follow,
            may_address: &|url| allowed.allow(url),
            jar: (self.jar != JarMode::Off).then_some(&mut stage.cookies),
        };
        let answer = match timeout(self.timeout, exchange.run(Hop::first(&request), &mut progress)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Ended::Halt(halt))) => return Err(halt),
            Ok(Err(Ended::Refused(mismatch))) => return Ok(without_answer(&request, &progress, mismatch)),
            Err(_) => {
                let mismatch = Mismatch::new("response", "one", self.too_late(&progress));
                return Ok(without_answer(&request, &progress, mismatch));
            }
        };
        let material = Material::bytes(&answer.body).of_response(&answer.response);
        let evidence = judge::evidence(&request, &progress, &answer, &material);
        let mut outcome = Outcome { evidence, ..Outcome::default() };
        capture(&self.captures, &material, &stage.scope, &mut outcome)?;
        // What is captured here can be expected of the same answer: its id stands in its link, say.
        let captured = (!outcome.captured.is_empty()).then(|| {
            let mut scope = stage.scope.clone();
            outcome.captured.iter().for_each(|(name, value)| scope.set_json(name, value));
            scope
        });
        let found = judge::judge(&self.expect, &answer, &material, captured.as_ref().unwrap_or(&stage.scope));
        match found {
            Ok(found) => outcome.mismatches.splice(..0, found).for_each(drop),
            // A missing capture is the reason why an expectation cannot be written out.
            Err(_) if !outcome.mismatches.is_empty() => {}
            Err(halt) => return Err(halt),
        }
        Ok(outcome)
    }
}

impl Http {
    /// What of the way to send is not as usual.
    fn shown_options(&self, connection: &Connection) -> Map<String, Json> {
        let mut shown = connection.evidence();
        if let Some(version) = self.options.version {
            shown.insert("http_version".to_owned(), version.as_str().into());
        }
        if let Some(follow) = self.follow {
            shown.insert("redirects".to_owned(), follow.max.into());
        }
        if self.draft.compressed {
            shown.insert("compressed".to_owned(), true.into());
        }
        shown
    }

    fn too_late(&self, progress: &Progress) -> String {
        let limit = self.timeout.as_millis();
        match progress.status {
            None => format!("none within {limit} ms"),
            Some(status) => {
                let bytes = progress.body_bytes;
                format!("status {status}, and {bytes} bytes of a body that did not end within {limit} ms")
            }
        }
    }
}

fn without_answer(request: &Request, progress: &Progress, mismatch: Mismatch) -> Outcome {
    let evidence = judge::evidence_without_answer(request, progress);
    Outcome { mismatches: vec![mismatch], evidence, ..Outcome::default() }
}

/// Names with their values as texts; a list is several of one name.
pub(super) fn pairs(entries: &Entries<Node>, scope: &Scope) -> Result<Vec<(String, String)>, Halt> {
    let mut pairs = Vec::new();
    for (name, node) in entries.iter() {
        let name = scope.text(name)?;
        pairs.extend(request::values(node, scope)?.into_iter().map(|value| (name.clone(), value)));
    }
    Ok(pairs)
}

/// A value as it is sent in a header, a query or a form: a text without quotes.
pub(super) fn plain(value: Json) -> String {
    match value {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// The start of a text for the evidence. A little more than is kept: secrets are removed before the last cut.
fn shown_text(text: &str) -> String {
    let start = text.floor_char_boundary(EVIDENCE_BODY_BYTES_MAX + SECRET_BYTES_MAX);
    if start == text.len() { text.to_owned() } else { cut(text.to_owned(), start) }
}
