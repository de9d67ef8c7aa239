//! What must hold of an answer, and what is kept of an exchange.

use serde_json::{Map, Value as Json, json};

use super::{
    exchange::{Answer, Progress},
    request::{Request, one_or_all},
    shown_text,
};
use crate::{
    expect::{Material, Mismatch, Redirect, Response, Value, cut},
    scenario::Expect,
    step::{
        Halt,
        document::{brief, check_document, check_latency},
    },
    text::Scope,
};

/// Every expectation that does not hold.
pub(super) fn judge(
    expect: &Expect,
    answer: &Answer,
    material: &Material<'_>,
    scope: &Scope,
) -> Result<Vec<Mismatch>, Halt> {
    let response = &answer.response;
    let mut found = Vec::new();
    let status = expect.status.as_ref().map(|rule| rule.resolved(scope)).transpose()?;
    if let Some(rule) = status.filter(|rule| !rule.admits(response.status)) {
        let observed = format!("{}{}", response.status, brief(material.as_text()));
        found.push(Mismatch::new("status", rule.words(), observed));
    }
    if let Some(predicates) = &expect.http_version {
        let version = format!("HTTP/{}", response.version);
        found.extend(predicates.check_text("http_version", Some(&version), scope)?);
    }
    for (name, predicates) in expect.headers.iter() {
        let value = response.header_value(name).map(Value::Json);
        found.extend(predicates.check_value(&format!("header {}", name.value), value.as_ref(), scope)?);
    }
    for (name, cookie) in expect.cookies.iter() {
        found.extend(cookie.check(name, response, scope)?);
    }
    found.extend(check_document(expect, material, scope)?);
    found.extend(check_body(expect, &answer.body, material, scope)?);
    if let Some(certificate) = &expect.certificate {
        found.extend(certificate.check(response.certificate.as_ref(), scope)?);
    }
    found.extend(check_latency(expect, response.latency));
    Ok(found)
}

fn check_body(expect: &Expect, body: &[u8], material: &Material<'_>, scope: &Scope) -> Result<Vec<Mismatch>, Halt> {
    use sha2::Digest as _;
    let mut found = Vec::new();
    if let Some(predicates) = &expect.body {
        match material.text() {
            Ok(text) => found.extend(predicates.check_text("body", Some(text), scope)?),
            Err(encoding) => {
                let observed = cut(material.as_text().to_owned(), 300); // a line or two of a report
                found.push(Mismatch::new("body", format!("a text in {encoding}"), observed));
            }
        }
    }
    if let Some(bound) = &expect.body_bytes
        && let Some(words) = bound.refuses(body.len() as f64, scope)?
    {
        found.push(Mismatch::new("body_bytes", words, body.len().to_string()));
    }
    if let Some(predicates) = &expect.sha256 {
        let digest = hex::encode(sha2::Sha256::digest(body));
        found.extend(predicates.check_text("sha256", Some(&digest), scope)?);
    }
    if let Some(predicates) = &expect.md5 {
        let digest = hex::encode(md5::Md5::digest(body));
        found.extend(predicates.check_text("md5", Some(&digest), scope)?);
    }
    Ok(found)
}

/// Of an exchange that gave an answer.
pub(super) fn evidence(request: &Request, progress: &Progress, answer: &Answer, material: &Material<'_>) -> Json {
    let response = &answer.response;
    let mut shown = json!({
        "status": response.status,
        "http_version": response.version,
        "url": response.url,
        "headers": headers(response),
        "body": shown_text(material.as_text()),
        "body_bytes": answer.body.len(),
        "latency_ms": u64::try_from(response.latency.as_millis()).unwrap_or(u64::MAX),
    });
    if let Some(encoded) = &response.encoded {
        shown["encoded_bytes"] = encoded.len().into();
    }
    if let Some(certificate) = &response.certificate {
        shown["certificate"] = json!(certificate);
    }
    let redirects = response.redirects.iter();
    let total_ms = response.latency.as_secs_f64() * 1_000.0;
    let timings = timings(progress, Some(total_ms));
    whole(request, progress, shown, redirects, timings)
}

/// Of an exchange that gave none.
pub(super) fn evidence_without_answer(request: &Request, progress: &Progress) -> Json {
    whole(request, progress, Json::Null, progress.redirects.iter(), timings(progress, None))
}

fn whole<'a>(
    request: &Request,
    progress: &Progress,
    response: Json,
    redirects: impl Iterator<Item = &'a Redirect>,
    timings: Json,
) -> Json {
    let mut evidence = json!({ "request": request.evidence(&progress.sent), "response": response, "timings": timings });
    let redirects: Vec<_> = redirects.map(Redirect::to_json).collect();
    if !redirects.is_empty() {
        evidence["redirects"] = redirects.into();
    }
    evidence
}

fn headers(response: &Response) -> Json {
    let mut headers = Map::new();
    for (name, _) in &response.headers {
        headers.insert(name.clone(), one_or_all(response.header(name).map(Json::from).collect()));
    }
    headers.into()
}

/// What is not known is left out: a connection that was used again has no time of connecting.
fn timings(progress: &Progress, total_ms: Option<f64>) -> Json {
    let parts = [
        ("dns_ms", progress.watch.dns_ms()),
        ("connect_ms", progress.watch.connect_ms()),
        ("first_byte_ms", progress.first_byte_ms),
        ("total_ms", total_ms),
    ];
    let rounded = |ms: f64| (ms * 1_000.0).round() / 1_000.0;
    let known = parts.into_iter().filter_map(|(name, ms)| ms.map(|ms| (name.to_owned(), rounded(ms).into())));
    Json::Object(known.collect())
}
