//! The LLM twins against recorded answers of the real services: asked the same, with a script that says what the
//! service said, a twin must answer with the same fields, the same order of events and the same errors.
//!
//! What differs is listed on the page `docs/twins/recordings.md`, each with its reason: a difference that is not
//! listed fails the test, and so does one that is listed and gone. `TWINS_EVIDENCE=write` rewrites the list.

mod answer;
mod played;
mod shape;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use twins::Space;

use self::{answer::Answer, played::Played};
use crate::support::{client, engine};

const RECORDINGS: &str = "../../shared/data/provider-recordings";
const PAGE: &str = "../docs/twins/recordings.md";
const BEGIN: &str = "<!-- differences -->";
const END: &str = "<!-- /differences -->";
/// Recorded from servers that only speak the dialect.
const OTHER_SERVERS: &str = "openai_compatible";
const UNEXPLAINED: &str = "?";

/// What the twins answer at all; recordings of anything else are left out.
const SUPPORTED: [(&str, &str, &str); 6] = [
    ("anthropic", "POST", "/v1/messages"),
    ("anthropic", "GET", "/v1/models"),
    ("openai", "POST", "/v1/chat/completions"),
    ("openai", "POST", "/v1/responses"),
    ("openai", "POST", "/v1/embeddings"),
    ("openai", "GET", "/v1/models"),
];

/// One exchange, as the recordings have it.
#[derive(Deserialize)]
struct Exchange {
    when: When,
    then: Then,
}

#[derive(Deserialize)]
struct When {
    path: String,
    method: String,
    body: Option<String>,
}

#[derive(Deserialize)]
struct Then {
    status: u16,
    body: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_fields_and_orders_of_the_recorded_ones() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDINGS);
    let folder = std::env::var_os("PROVIDER_RECORDINGS").map_or_else(beside, PathBuf::from);
    if !folder.is_dir() && std::env::var_os("TWINS_TESTS_WITHOUT_RECORDINGS").is_some() {
        return; // bin/test, which sets it, has said so
    }
    let missing = "is missing: put the recordings beside the checkout, name their folder in PROVIDER_RECORDINGS, or \
                   set TWINS_TESTS_WITHOUT_RECORDINGS=1 to leave this test out";
    assert!(folder.is_dir(), "{} {missing}", folder.display());
    let (client, mut compared, mut found) = (client(), 0, BTreeSet::new());
    for (provider, path) in ["anthropic", "openai"].iter().flat_map(|provider| files(&folder, provider)) {
        if path.to_string_lossy().contains(OTHER_SERVERS) {
            continue;
        }
        for exchange in exchanges(&path) {
            let known = |(twin, method, path): &(&str, &str, &str)| {
                *twin == provider && *method == exchange.when.method && *path == exchange.when.path
            };
            if SUPPORTED.iter().any(known) {
                compared += 1;
                found.extend(compare(&client, provider, &exchange).await);
            }
        }
    }
    assert!(compared > 400, "only {compared} exchanges were compared");
    check(&found);
}

fn files<'p>(folder: &Path, provider: &'p str) -> Vec<(&'p str, PathBuf)> {
    let mut all = Vec::new();
    let mut open = vec![folder.join(provider)];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { all.push((provider, path)) }
        }
    }
    all.sort();
    all
}

fn exchanges(path: &Path) -> Vec<Exchange> {
    let text = std::fs::read_to_string(path).unwrap();
    let documents = text.split("\n---\n").filter(|document| !document.trim().is_empty());
    let parse = |document: &str| located::yaml(&located::Source::new(path.display().to_string(), document));
    documents.map(|document| parse(document).unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// Each difference in a line, without what is particular to this exchange.
async fn compare(client: &Client, provider: &str, exchange: &Exchange) -> Vec<String> {
    let recorded = Answer::new(provider, exchange.then.status, exchange.then.body.as_deref().unwrap_or_default());
    let twin = ask(client, provider, exchange, &recorded).await;
    let place = format!("{provider} {} {}", exchange.when.method, exchange.when.path);
    let differences = recorded.differences(&twin);
    differences.into_iter().map(|difference| format!("{place}: {difference}")).collect()
}

async fn ask(client: &Client, provider: &str, exchange: &Exchange, recorded: &Answer) -> Answer {
    let body = exchange.when.body.as_deref().map(|body| comparable(serde_json::from_str(body).unwrap()));
    let space = engine(7).space("recorded", 1);
    let folder = tempfile::tempdir().unwrap();
    let base = serve(&space, provider, folder.path(), body.as_ref(), recorded);
    let url = format!("{base}{}", exchange.when.path);
    let mut request = client.request(exchange.when.method.parse().unwrap(), url);
    request = request.bearer_auth(if recorded.status == 401 { "sk-invalid-0123-key" } else { "sk-right" });
    request = request.header("anthropic-version", "2023-06-01");
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    Answer::new(provider, status, &response.text().await.unwrap())
}

fn serve(space: &Space, provider: &str, folder: &Path, body: Option<&Value>, recorded: &Answer) -> String {
    let mut config = json!({"api_key": "sk-right"});
    if recorded.status == 200 {
        let model = body.and_then(|body| body["model"].as_str()).unwrap_or("scripted-model");
        let script = folder.join("script.yaml");
        std::fs::write(&script, Played::of(provider, recorded).script(model).to_string()).unwrap();
        config["script"] = json!(script);
    }
    space.serve(provider, config).unwrap().base_url
}

/// The request without what only the real service could know.
fn comparable(mut body: Value) -> Value {
    if body["previous_response_id"].is_string() {
        body["previous_response_id"] = Value::Null;
        let items = body["input"].as_array().into_iter().flatten();
        if items.clone().any(|item| item["type"] == "function_call_output") {
            body["input"] = json!("go on");
        }
    }
    body
}

fn check(found: &BTreeSet<String>) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let (head, rest) = text.split_once(BEGIN).expect("the page has a place for the differences");
    let (list, tail) = rest.split_once(END).expect("the place for the differences ends");
    let listed: BTreeMap<&str, &str> = list.lines().filter_map(row).collect();
    if std::env::var_os("TWINS_EVIDENCE").is_some_and(|wish| wish == "write") {
        let rows = found
            .iter()
            .map(|line| format!("| `{line}` | {} |\n", listed.get(line.as_str()).copied().unwrap_or(UNEXPLAINED)));
        let rows: String = rows.collect();
        std::fs::write(&page, format!("{head}{BEGIN}\n| difference | reason |\n|---|---|\n{rows}{END}{tail}")).unwrap();
        return;
    }
    let new: Vec<_> = found.iter().filter(|line| !listed.contains_key(line.as_str())).collect();
    assert!(new.is_empty(), "not listed in {PAGE}: {new:#?}");
    let gone: Vec<_> = listed.keys().filter(|line| !found.contains(**line)).collect();
    assert!(gone.is_empty(), "listed in {PAGE} and gone: {gone:#?}");
    let unexplained: Vec<_> = listed.iter().filter(|(_, reason)| **reason == UNEXPLAINED).collect();
    assert!(unexplained.is_empty(), "without a reason in {PAGE}: {unexplained:#?}");
}

/// ``| `difference` | reason |``
fn row(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")
}
