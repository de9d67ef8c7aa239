//! Types of an SDK, recorded answers and answers of a twin, held against each other.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use twins::{DriftOptions, DriftReport, RecordOptions, Verdict, drift, record};

use crate::support::{answer, client, space, until};

const MODEL: &str = "\
from typing import Dict, List, Optional
from typing_extensions import Literal
from ._models import BaseModel

class Part(BaseModel):
    at: int

    text: Optional[str] = None
    \"\"\"What it says: with a colon.\"\"\"

class Thing(BaseModel):
    id: str

    kind: Literal[\"big\", \"small\"]

    size: float

    parts: List[
        Part
    ]

    labels: Dict[str, str]
";

const RESOURCE: &str = "\
from .thing import Thing

class Things(SyncAPIResource):
    def retrieve(self, thing_id: str) -> Thing:
        return self._get(
            path_template(\"/things/{thing_id}\", thing_id=thing_id),
            options=make_request_options(extra_headers=extra_headers),
            cast_to=Thing,
        )
";

fn thing() -> Value {
    json!({"id": "thing_12345678", "kind": "big", "size": 1, "parts": [{"at": 1, "text": null}], "labels": {"mine": "x"}})
}

/// A folder with an SDK whose model has this line more.
fn sdk(folder: &Path, more: &str) -> PathBuf {
    let package = folder.join("shop");
    std::fs::create_dir_all(&package).unwrap();
    std::fs::write(package.join("thing.py"), format!("{MODEL}{more}")).unwrap();
    std::fs::write(package.join("things.py"), RESOURCE).unwrap();
    std::fs::write(package.join("_client.py"), "            base_url = f\"https://api.shop.example/v1\"\n").unwrap();
    package
}

/// A recording and the journal of a twin, each of one answer.
async fn sides(folder: &Path, recorded: &Value, twin: &Value) -> (PathBuf, PathBuf) {
    let serve = |name: &str, body: &Value| {
        let file = folder.join(format!("{name}.twin.yaml"));
        let stub = json!({"path": "/v1/things/{id}", "answer": {"body": body, "literal": true}});
        std::fs::write(&file, format!("twin: {name}\nstubs: [{stub}]\n")).unwrap();
        let space = space();
        let served = space.serve(file.to_str().unwrap(), Value::Null).unwrap();
        (space, served.base_url)
    };
    let (_service, upstream) = serve("service", recorded);
    let out = folder.join("recording.jsonl");
    let options =
        RecordOptions { upstream: upstream.parse().unwrap(), out: out.clone(), redact: vec![], paths: vec![], port: 0 };
    let proxy = record(options).unwrap();
    answer(client().get(format!("{}/v1/things/thing_12345678", proxy.base_url))).await;
    let progress = proxy.progress();
    until("the exchange is written", || async { (progress.exchanges() == 1).then_some(()) }).await;
    let (space, base) = serve("shop", twin);
    answer(client().get(format!("{base}/v1/things/thing_12345678"))).await;
    let admin = twins::serve_admin(&space, 0).unwrap();
    let exported = client().get(format!("{admin}/journal/export")).send().await.unwrap().text().await.unwrap();
    let journal = folder.join("journal.jsonl");
    std::fs::write(&journal, exported).unwrap();
    (out, journal)
}

async fn compared(more: &str, recorded: &Value, twin: &Value) -> DriftReport {
    let folder = tempfile::tempdir().unwrap();
    let (recording, journal) = sides(folder.path(), recorded, twin).await;
    let sdk = Some(sdk(folder.path(), more));
    drift(&DriftOptions { sdk, recordings: vec![recording], journals: vec![journal], ..DriftOptions::default() })
        .unwrap()
}

fn found(report: &DriftReport) -> Vec<(&str, &str, Verdict)> {
    report.differences.iter().map(|found| (found.path.as_str(), found.about, found.verdict)).collect()
}

#[tokio::test]
async fn three_sides_that_agree_have_no_difference() {
    let report = compared("", &thing(), &thing()).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.compared, report.only_recorded.len(), report.only_twin.len()), (1, 0, 0));
}

#[tokio::test]
async fn a_difference_is_found_in_each_of_the_three() {
    let mut other = thing();
    other["size"] = json!("1");
    other["kind"] = json!("huge");
    other["parts"][0]["at"] = json!(null);
    let expected =
        |verdict| vec![("$.kind", "values", verdict), ("$.parts[].at", "type", verdict), ("$.size", "type", verdict)];
    assert_eq!(found(&compared("", &thing(), &other).await), expected(Verdict::TwinDrift));
    assert_eq!(found(&compared("", &other, &thing()).await), expected(Verdict::ServiceChanged));
    assert_eq!(found(&compared("", &other, &other).await), expected(Verdict::SdkDrift));
    let mut less = thing();
    less.as_object_mut().unwrap().remove("size");
    assert_eq!(found(&compared("", &thing(), &less).await), [("$.size", "field", Verdict::TwinDrift)]);
    assert_eq!(found(&compared("", &less, &thing()).await), [("$.size", "field", Verdict::ServiceChanged)]);
    let required = "\n    color: str\n";
    assert_eq!(found(&compared(required, &thing(), &thing()).await), [("$.color", "field", Verdict::SdkDrift)]);
    let optional = "\n    color: Optional[str] = None\n";
    assert!(compared(optional, &thing(), &thing()).await.is_clean(), "what may be missing may be missing");
    let mut more = thing();
    more["color"] = json!("red");
    assert_eq!(found(&compared("", &thing(), &more).await), [("$.color", "field", Verdict::TwinDrift)]);
}

#[tokio::test]
async fn known_differences_are_listed_and_entries_that_nothing_needs_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = thing();
    other["size"] = json!("1");
    let (recording, journal) = sides(folder.path(), &thing(), &other).await;
    let allow = folder.path().join("known.yaml");
    let run = |list: &str, more: &[&str]| {
        std::fs::write(&allow, list).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_twins"));
        command
            .arg("drift")
            .arg("--recording")
            .arg(&recording)
            .arg("--journal")
            .arg(&journal)
            .arg("--allow")
            .arg(&allow);
        let output = command.args(more).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let known = "- { difference: \"GET /v1/things/{} 200 $.size type\", reason: sizes are texts here }\n";
    let (code, said) = run(known, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("known: sizes are texts here; recorded: integer; twin: string"), "{said}");
    let (code, said) = run("[]", &["--json"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["differences"][0]["verdict"]), (Some(1), &json!("differs")));
    let stale = format!("{known}- {{ difference: \"GET /v1/gone *\", reason: once }}\n");
    let (code, said) = run(&stale, &[]);
    assert!(code == Some(1) && said.contains("known.yaml:2:17: this difference is gone"), "{said}");
}

#[test]
fn one_side_alone_and_files_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |options: DriftOptions| drift(&options).unwrap_err().to_string();
    assert!(refused(DriftOptions::default()).contains("give two of an SDK, recordings and journals"));
    let journal = folder.path().join("journal.jsonl");
    std::fs::write(&journal, "{}\n").unwrap();
    let two = |sdk: &Path| DriftOptions {
        sdk: Some(sdk.to_owned()),
        journals: vec![journal.clone()],
        ..DriftOptions::default()
    };
    assert!(refused(two(folder.path())).contains("has no operations"));
    assert!(refused(two(&sdk(folder.path(), ""))).contains("journal.jsonl:1: missing field"));
}

/// The real packages are read, and the twin answers what they declare.
#[tokio::test]
async fn the_openai_twin_answers_what_the_types_of_its_sdk_say() {
    let sdks = std::env::var_os("TWINS_SDKS").map(PathBuf::from);
    let sdks = sdks.expect("TWINS_SDKS is not set: run bin/test, which installs the SDKs, or set it to their folder");
    let folder = tempfile::tempdir().unwrap();
    let space = space();
    let served = space.serve("openai", json!({"script": "tests/sdk/llm.yaml"})).unwrap();
    let key = |request: reqwest::RequestBuilder| request.bearer_auth("sk-twin");
    let models = answer(key(client().get(format!("{}/v1/models", served.base_url)))).await;
    assert_eq!(models.0, 200, "{models:?}");
    let admin = twins::serve_admin(&space, 0).unwrap();
    let exported = client().get(format!("{admin}/journal/export")).send().await.unwrap().text().await.unwrap();
    let journal = folder.path().join("journal.jsonl");
    std::fs::write(&journal, exported).unwrap();
    let sdk = Some(sdks.join("python/openai"));
    let report = drift(&DriftOptions { sdk, journals: vec![journal], ..DriftOptions::default() }).unwrap();
    assert_eq!((report.compared, found(&report)), (1, vec![]));
}
