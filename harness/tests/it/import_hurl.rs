//! Imported Hurl files against what hurl itself said: the same verdict for each entry, and the same files refused.
//!
//! `scripts/hurl-verdicts.py` writes the cases and asks the real hurl about them; here its answers are data.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use harness::{
    SubjectConfig, TrialRecord, UrlLauncher, Verdict,
    import::{HurlOptions, hurl},
};
use located::Source;

use crate::kit::{plan, processes, report, subjects, suite};

/// The address that the cases name.
const RECORDED: &str = "http://127.0.0.1:8765";

/// Lines on which the two differ by intent, with the reason. The format admits a little more than Hurl does.
const KNOWN: [(&str, &str); 17] = [
    (r#"jsonpath "$.name" not contains 3"#, "a number may be a part of a text"),
    (r#"jsonpath "$.name" not contains /^a/"#, "a pattern is a text to `contains`"),
    (r#"jsonpath "$.empty" not contains 0"#, "a number may be a part of a text"),
    (r#"jsonpath "$.obj" contains "a""#, "an object contains its keys"),
    (r#"bytes startsWith "{""#, "a text stands for its bytes"),
    (r#"bytes not endsWith "{""#, "a text stands for its bytes"),
    (r#"bytes contains "{""#, "a text stands for its bytes"),
    ("not includes", "what is not there is no list"),
    ("body exists", "a body of unreadable characters is one"),
    ("body contains \"hi\"", "a body of unreadable characters is one"),
    ("%S%Z", "a `Z` is no abbreviation of a time zone"),
    (r#"jsonpath "$.obj" jsonpath "$.a" == 1"#, "a path may look into an object"),
    (r#"jsonpath "$.body" == "a=1%202&b=x%26y&a=3""#, "forms have `+` for a space, and equal names side by side"),
    (r#"jsonpath "$.query" startsWith "x=1&a=1%202""#, "queries have `+` for a space"),
    (r#"x: jsonpath "$.n" redact"#, "a number may be a secret"),
    ("?q={{nobody}}", "the variable is empty, and a TODO"),
    ("/text HTTP 200", "a space in a path is sent as %20"),
];

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/hurl")
}

/// `#### name` begins a case.
fn cases() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(data().join("cases.hurl")).unwrap();
    let parts = text.split("#### ").filter(|part| !part.is_empty());
    let case =
        |part: &str| part.split_once('\n').map(|(name, text)| (name.to_owned(), text[..text.len() - 1].to_owned()));
    parts.filter_map(case).collect()
}

struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn server() -> Server {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child =
        Command::new("python3").arg(subjects().join("everything.py")).env("PORT", port.to_string()).spawn().unwrap();
    let give_up = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < give_up, "the server never listened");
        std::thread::sleep(Duration::from_millis(10));
    }
    Server { child, url: format!("http://127.0.0.1:{port}") }
}

/// The verdict in the words of the recorded ones. Our entry of a step is told by the `from` comment above it.
fn verdict(record: &TrialRecord, text: &str, hurl: &str) -> String {
    match (&record.verdict, &record.failure) {
        (Verdict::Satisfied, _) => "pass".to_owned(),
        (Verdict::Unsatisfied, Some(failure)) => {
            format!("fail {}", entry_of(failure.step, text, hurl))
        }
        (verdict, failure) => format!("{verdict:?} {failure:?}"),
    }
}

/// Steps that stand for no entry (a delay) do not count.
fn entry_of(step: usize, text: &str, hurl: &str) -> usize {
    let starts = text.match_indices("\n  - ").map(|(at, _)| at);
    let start = starts.take(step).last().unwrap();
    let before = &text[..start];
    let line: usize = before.rsplit(".hurl:").next().unwrap().lines().next().unwrap().parse().unwrap();
    let is_request = |line: &&str| {
        let word = line.trim_start().split(' ').next().unwrap();
        !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase()) && word != "HTTP"
    };
    hurl.lines().take(line).filter(is_request).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_has_the_verdict_that_hurl_gave_it() {
    let recorded: BTreeMap<String, String> =
        serde_json::from_str(&std::fs::read_to_string(data().join("verdicts.json")).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fixture.txt"), "landed").unwrap();
    std::fs::write(folder.path().join("other.txt"), "other").unwrap();
    let server = server();
    let (mut wrong, mut scenarios) = (Vec::new(), Vec::new());
    for (number, (name, text)) in cases().into_iter().enumerate() {
        let text = text.replace("@@", &format!("ours-{number}")).replace(RECORDED, &server.url);
        let known = recorded.get(&name).unwrap_or_else(|| panic!("no verdict for {name}"));
        match imported(&name, &text, folder.path()) {
            // Nothing to run is nothing that fails.
            Ok(scenario) if scenario.is_empty() => assert_eq!(known, "pass", "{name}"),
            Ok(scenario) if known == "refused" => wrong.push(format!("{name}: hurl refuses it\n{text}\n{scenario}")),
            Ok(scenario) => scenarios.push((name, text, scenario)),
            Err(error) if known != "refused" => wrong.push(format!("{name}: hurl says {known}, we refuse it: {error}")),
            Err(_) => {}
        }
    }
    let sources = scenarios
        .iter()
        .map(|(name, _, text)| Source::new(folder.path().join(format!("{name}.yaml")).to_string_lossy(), text));
    let subject = SubjectConfig::already_running(&server.url);
    let mut plan = plan(suite(sources.collect()), subject);
    plan.jobs = 4;
    let launcher = UrlLauncher::new(server.url.parse().unwrap(), processes());
    let ran = report(plan, &launcher).await;
    let compared = scenarios.len();
    for (name, hurl, text) in scenarios {
        let record = ran.records.iter().find(|record| record.scenario == name).unwrap();
        let ours = verdict(record, &text, &hurl);
        if ours != recorded[&name] && !KNOWN.iter().any(|(known, _)| hurl.contains(known)) {
            let failure = record.failure.as_ref().map(|failure| failure.message.clone());
            wrong.push(format!("{name}: hurl says {}, we say {ours}: {failure:?}\n{hurl}\n{text}", recorded[&name]));
        }
    }
    assert!(compared > 2_000, "only {compared} cases were compared");
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n----\n"));
}

fn imported(name: &str, text: &str, root: &Path) -> Result<String, String> {
    let options = HurlOptions { root: root.to_owned(), ..HurlOptions::default() };
    let source = Source::new(format!("{name}.hurl"), text);
    let imported = hurl(&source, name, &options).map_err(|error| error.to_string())?;
    let Some(file) = imported.files.into_iter().next() else { return Ok(String::new()) };
    for (from, to) in &file.copies {
        let to = root.join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    }
    Ok(file.text)
}
