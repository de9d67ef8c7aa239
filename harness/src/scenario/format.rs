//! The scenario file as it is written. Field docs go into the published JSON Schema.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{cases::CaseFile, variant::VariantFile};
use crate::{
    expect::{Bound, CertificateExpect, Check, CookieExpect, FileCheck, PathCheck, Predicates, SchemaRule, StatusRule},
    step::{
        act::ActFile,
        budget::BudgetFile,
        capture::CaptureRule,
        exec::ExecFile,
        fault::FaultFile,
        http::HttpFile,
        judge::JudgeFile,
        lifecycle::{RestartFile, StartFile, StopFile},
        sql::SqlFile,
        sse::SseFile,
        twin::CallsFile,
        wait::WaitFile,
        websocket::WebsocketFile,
    },
    text::{Entries, Node, Period, Placed, Text, given},
};

/// One end-to-end user story against a subject and its twins.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Scenario")]
pub(super) struct ScenarioFile {
    /// A slug that is unique within the suite: lower-case letters, digits and dashes.
    pub(super) scenario: Text,
    /// One sentence that people read.
    pub(super) title: String,
    /// Ids of the requirements that this shows.
    #[serde(default)]
    pub(super) requirements: Vec<Text>,
    /// The area, in words that give nothing away. The only text a builder is told when a holdout fails.
    #[serde(default)]
    pub(super) theme: Option<String>,
    /// Holdouts only: a random token of at least 16 characters that appears nowhere else.
    #[serde(default)]
    pub(super) canary: Option<Text>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// How much it counts, 0.01 to 100. Default 1.
    #[serde(default)]
    pub(super) weight: Option<Placed<f64>>,
    /// Why it is not run: it is listed as skipped, and never counts as passed.
    #[serde(default)]
    pub(super) skip: Option<String>,
    /// Of one trial. Default 30s, at most 10m.
    #[serde(default)]
    pub(super) timeout: Option<Placed<Period>>,
    /// Evaluated once per trial, in order.
    #[serde(default)]
    pub(super) vars: Entries<Node>,
    /// A table: one scenario per row, called `slug[case]`, with the row's values as variables.
    #[serde(default)]
    pub(super) cases: Option<Vec<CaseFile>>,
    /// Steps before the story. A failure here makes the trial invalid, not failed.
    #[serde(default)]
    pub(super) setup: Vec<Placed<StepFile>>,
    pub(super) steps: Vec<Placed<StepFile>>,
    /// Steps that run whatever happened.
    #[serde(default)]
    pub(super) teardown: Vec<Placed<StepFile>>,
    /// The story again with a transformed input, and how the results must relate.
    #[serde(default)]
    pub(super) variants: Vec<VariantFile>,
}

/// One step: of exactly one kind. A field here that is no kind belongs to all kinds, or is declared by its kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepFile {
    /// For reports. Default: what the step does, in a few words.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Only where this is true; otherwise the step is listed as skipped.
    #[serde(default, rename = "if", deserialize_with = "given")]
    pub(crate) condition: Option<Node>,
    /// Once per element: `{item: [a, b]}` or `{item: "{{ captured_list }}"}`; `{{ index }}` counts from 0. An empty
    /// list fails the step.
    #[serde(default)]
    pub(crate) for_each: Option<Placed<Entries<Node>>>,
    /// The steps of a fragment file (`steps_of:`), by its path relative to this file.
    #[serde(default, rename = "use")]
    pub(crate) used: Option<Text>,
    /// The fragment's arguments. With `use`.
    #[serde(default)]
    pub(crate) with: Entries<Node>,
    /// Send a request to the subject.
    #[serde(default)]
    pub(crate) http: Option<Placed<HttpFile>>,
    /// Run a command against the subject's tree.
    #[serde(default)]
    pub(crate) exec: Option<Placed<ExecFile>>,
    /// Listen to server-sent events of the subject.
    #[serde(default)]
    pub(crate) sse: Option<Placed<SseFile>>,
    /// Talk to the subject over a WebSocket.
    #[serde(default)]
    pub(crate) websocket: Option<Placed<WebsocketFile>>,
    /// Run a statement on a database that the subject uses.
    #[serde(default)]
    pub(crate) sql: Option<Placed<SqlFile>>,
    /// Look at what a twin was asked and what it knows.
    #[serde(default)]
    pub(crate) twin: Option<Text>,
    /// Which of the twin's calls. With `twin`.
    #[serde(default)]
    pub(crate) calls: Option<CallsFile>,
    /// Make a twin misbehave. With `rule`.
    #[serde(default)]
    pub(crate) fault: Option<Text>,
    #[serde(default)]
    pub(crate) rule: Option<FaultFile>,
    /// Let the outside service itself do something. With `do`.
    #[serde(default)]
    pub(crate) act: Option<Text>,
    #[serde(default, rename = "do")]
    pub(crate) action: Option<ActFile>,
    /// Stop the subject and start it again with the same data.
    #[serde(default)]
    pub(crate) restart: Option<RestartFile>,
    #[serde(default)]
    pub(crate) stop: Option<StopFile>,
    #[serde(default)]
    pub(crate) start: Option<StartFile>,
    #[serde(default)]
    pub(crate) wait: Option<Placed<WaitFile>>,
    /// Limit what the trial has used so far.
    #[serde(default)]
    pub(crate) budget: Option<Placed<BudgetFile>>,
    /// Ask a panel of judges what no rule decides.
    #[serde(default)]
    pub(crate) judge: Option<Placed<JudgeFile>>,
    /// What must hold; everything here is evaluated, not only up to the first failure.
    #[serde(default)]
    pub(crate) expect: Option<Placed<Expect>>,
    /// Values for later steps: a `JSONPath`, or a query with filters, such as {header: name} or {regex: pattern}.
    /// `redact: true` keeps the value out of all records and reports.
    #[serde(default)]
    pub(crate) capture: Entries<CaptureRule>,
    /// Repeat the step until its expectations hold.
    #[serde(default)]
    pub(crate) retry: Option<Placed<Retry>>,
}

/// What must hold after a step. Each kind of step declares which of these it evaluates.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// http: `201`, `"2xx"`, or a list.
    #[serde(default)]
    pub(crate) status: Option<StatusRule>,
    /// http: `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    #[serde(default)]
    pub(crate) http_version: Option<Predicates>,
    /// http: predicates by header name. A header that came several times is the list of its values.
    #[serde(default)]
    pub(crate) headers: Entries<Predicates>,
    /// http: by cookie name: its value, predicates on it, or its attributes.
    #[serde(default)]
    pub(crate) cookies: Entries<CookieExpect>,
    /// http, exec (its stdout): objects may have more keys, arrays must be of the same length.
    #[serde(default, deserialize_with = "given")]
    pub(crate) json: Option<Node>,
    /// http, exec (its stdout): equal in everything.
    #[serde(default, deserialize_with = "given")]
    pub(crate) json_exact: Option<Node>,
    /// http, exec (its stdout), twin (the array of matching calls).
    #[serde(default)]
    pub(crate) jsonpath: Vec<PathCheck>,
    /// http, exec (its stdout): a JSON Schema, or the name of a file beside the scenario that holds one.
    #[serde(default)]
    pub(crate) json_schema: Option<SchemaRule>,
    /// http, exec (its stdout), twin (the array of matching calls): one query each, filters, and predicates.
    #[serde(default)]
    pub(crate) checks: Vec<Placed<Check>>,
    /// http: the body as text.
    #[serde(default)]
    pub(crate) body: Option<Predicates>,
    /// http: the size of the body, decoded.
    #[serde(default)]
    pub(crate) body_bytes: Option<Bound>,
    /// http: of the decoded body, in hexadecimal digits.
    #[serde(default)]
    pub(crate) sha256: Option<Predicates>,
    /// http: of the decoded body, in hexadecimal digits.
    #[serde(default)]
    pub(crate) md5: Option<Predicates>,
    /// http: what the server showed, over https.
    #[serde(default)]
    pub(crate) certificate: Option<CertificateExpect>,
    /// http, exec: from the start to the last byte.
    #[serde(default)]
    pub(crate) max_latency: Option<Period>,
    /// exec: default 0.
    #[serde(default)]
    pub(crate) exit: Option<i32>,
    /// exec
    #[serde(default)]
    pub(crate) stdout: Option<Predicates>,
    /// exec
    #[serde(default)]
    pub(crate) stderr: Option<Predicates>,
    /// exec with a `pty`: what the terminal shows at the end.
    #[serde(default)]
    pub(crate) screen: Option<Predicates>,
    /// exec: by path, in the subject's tree or below `{{ data_dir }}`.
    #[serde(default)]
    pub(crate) files: Entries<FileCheck>,
    /// sql: how many rows it gave or, where it gives none, changed.
    #[serde(default)]
    pub(crate) rows: Option<Bound>,
    /// sse: how many events were heard.
    #[serde(default)]
    pub(crate) events: Option<Bound>,
    /// websocket: how many messages were heard.
    #[serde(default)]
    pub(crate) messages: Option<Bound>,
    /// websocket: what the subject chose of the subprotocols.
    #[serde(default)]
    pub(crate) subprotocol: Option<Predicates>,
    /// websocket: of the subject's farewell; 1005 where it named none, 1006 where it said none.
    #[serde(default)]
    pub(crate) close_code: Option<Bound>,
    /// websocket: of the subject's farewell.
    #[serde(default)]
    pub(crate) close_reason: Option<Predicates>,
    /// twin: how many calls match.
    #[serde(default)]
    pub(crate) count: Option<Bound>,
    /// twin: these operations were called in this order; `twin/operation` names one of another twin. No others are
    /// looked at, and repeats in a row count once.
    #[serde(default)]
    pub(crate) order: Vec<Text>,
    /// twin: checks on the twin's state.
    #[serde(default)]
    pub(crate) state: Vec<PathCheck>,
    /// Whether the file holds any of these. Set when the step is lowered.
    #[serde(skip)]
    pub(crate) is_written: bool,
}

impl Expect {
    /// Whether nothing is asserted.
    pub(crate) fn is_empty(&self) -> bool {
        !self.is_written
    }
}

/// Tries a step again while its expectations do not hold: `{until_pass_within: 3s, every: 50ms}`,
/// `{times: 3, if: "{{ status >= 500 }}"}`. With both ends, the first that is reached counts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retry {
    /// At most 60s.
    #[serde(default)]
    pub(crate) until_pass_within: Option<Period>,
    /// How often in all, 2 to 1000.
    #[serde(default)]
    pub(crate) times: Option<u32>,
    /// Between two tries. Default 50ms, at least 1ms, at most 60s.
    #[serde(default)]
    pub(crate) every: Option<Period>,
    /// Only while this is true. It sees `status` (0 without an answer), `exit`, `attempt` (from 1) and `result`, what
    /// the report shows of the step.
    #[serde(default, rename = "if", deserialize_with = "given")]
    pub(crate) condition: Option<Node>,
}

impl Retry {
    pub(crate) const EVERY_DEFAULT: Duration = Duration::from_millis(50);
    pub(crate) const WITHIN_MAX: Duration = Duration::from_mins(1);
    pub(crate) const TIMES: std::ops::RangeInclusive<u32> = 2..=1_000; // at a second each a quarter of an hour

    pub(crate) fn pause(&self) -> Duration {
        self.every.map_or(Self::EVERY_DEFAULT, |every| every.0.max(Duration::from_millis(1)))
    }
}
