//! `sql`: one statement on a database that the subject uses, its rows as JSON.
//!
//! Arguments are bound, never written into the statement. Reading is the default: a scenario that arranges data says
//! `access: read_write`. Values are JSON as near as it goes: see `postgres_value` and `sqlite`.

mod metered;
mod postgres;
mod postgres_tls;
mod postgres_value;
mod sqlite;

use std::{
    path::{Component, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use super::{
    Captures, Halt, Kind, Outcome, Room, Stage, Step,
    capture::CaptureRule,
    document::{Around, check_document_rules, check_latency},
    list::{check_count, check_list},
};
use crate::{
    expect::{Mismatch, cut},
    scenario::{Expect, LintCode, Lower},
    text::{Entries, Node, Period, Placed, Text},
};

/// How the kind stands in files.
pub(super) const KIND: Kind = Kind {
    name: "sql",
    needs: &[],
    takes: &[],
    expects: &["rows", "json", "json_exact", "jsonpath", "json_schema", "checks", "max_latency"],
    captures: Captures::Values,
    lower: |parts, lower| self::lower(parts.file.sql?, parts.expect, parts.captures, lower),
};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_mins(5);
const ROWS_MAX: usize = 10_000; // more is no assertion; count in the statement
const BYTES_MAX: usize = 4 * 1024 * 1024; // of all rows as JSON
const EVIDENCE_ROWS_MAX: usize = 50; // the count says how many there were

/// One statement on either database.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlFile {
    /// `postgres://user:password@host:port/database`. With `?sslmode=require` TLS is used and the certificate checked.
    #[serde(default)]
    postgres: Option<Text>,
    /// The file; a relative path is in `{{ data_dir }}`.
    #[serde(default)]
    sqlite: Option<Text>,
    /// One statement, with `$1` (both) or `?` (`SQLite`) for its arguments.
    query: Text,
    #[serde(default)]
    arguments: Vec<Node>,
    /// Default `read_only`.
    #[serde(default)]
    access: Option<Access>,
    /// Default 10s, at most 5m.
    #[serde(default)]
    timeout: Option<Placed<Period>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

#[derive(Debug)]
struct Sql {
    database: Database,
    query: Text,
    arguments: Vec<Node>,
    access: Access,
    timeout: Duration,
    expect: Expect,
    captures: Entries<CaptureRule>,
}

#[derive(Debug)]
enum Database {
    Postgres(Text),
    Sqlite(Text),
}

/// A statement, ready to be run.
struct Statement {
    query: String,
    arguments: Vec<Json>,
    access: Access,
    timeout: Duration,
}

/// What a statement gave.
#[derive(Debug, Default)]
struct Answer {
    rows: Vec<Json>,
    /// Of a statement that gives no rows: how many it changed.
    changed: Option<u64>,
}

/// Why there is no answer.
enum Refusal {
    /// Nobody could be asked: the trial is invalid.
    Unreachable(String),
    /// The database, or a bound, refused. In words, with the place in the statement where it is known.
    Refused(String),
}

fn lower(
    file: Placed<SqlFile>,
    expect: Placed<Expect>,
    captures: Entries<CaptureRule>,
    lower: &mut Lower<'_>,
) -> Option<Box<dyn Step>> {
    let place = file.place;
    let SqlFile { postgres, sqlite, query, arguments, access, timeout } = file.value;
    let timeout = lower.period(timeout.as_ref(), TIMEOUT_DEFAULT, TIMEOUT_MAX);
    if query.trim().is_empty() {
        lower.refuse(LintCode::StepKind, query.place, "the statement is empty");
    }
    if query.contains("{{") {
        let hint = "write $1 there and the value under `arguments`";
        lower.refuse_with(LintCode::StepKind, query.place, "a value is never written into a statement", hint);
    }
    let database = match (postgres, sqlite) {
        (Some(url), None) => Database::Postgres(url),
        (None, Some(path)) => Database::Sqlite(path),
        _ => {
            lower.refuse(LintCode::StepKind, place, "a `sql` step has either `postgres` or `sqlite`");
            return None;
        }
    };
    check_document_rules(&expect, &captures, Around::Nothing, lower);
    let access = access.unwrap_or(Access::ReadOnly);
    Some(Box::new(Sql { database, query, arguments, access, timeout, expect: expect.value, captures }))
}

#[async_trait]
impl Step for Sql {
    fn kind(&self) -> &'static str {
        "sql"
    }

    fn title(&self) -> String {
        let words = self.query.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("sql {}", cut(words, 60))
    }

    fn asserts(&self) -> bool {
        !self.expect.is_empty()
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let scope = &stage.scope;
        let arguments = self.arguments.iter().map(|node| scope.node(node)).collect::<Result<Vec<_>, _>>()?;
        let (query, access, timeout) = (self.query.value.clone(), self.access, self.timeout);
        let statement = Statement { query, arguments: arguments.clone(), access, timeout };
        let started = Instant::now();
        let (shown, answer) = match &self.database {
            Database::Postgres(url) => {
                let url = scope.text(url)?;
                (postgres::shown(&url), postgres::run(&url, &statement).await)
            }
            Database::Sqlite(path) => {
                let path = scope.text(path)?;
                let answer = match file(stage.room, &path) {
                    Ok(file) => sqlite::run(file, statement).await,
                    Err(reason) => Err(Refusal::Refused(reason)),
                };
                (path, answer)
            }
        };
        let asked = json!({ "database": shown, "query": self.query.value, "arguments": arguments });
        let answer = match answer {
            Ok(answer) => answer,
            Err(Refusal::Unreachable(reason)) => return Err(Halt::Infra(format!("the database {shown}: {reason}"))),
            Err(Refusal::Refused(reason)) => {
                let mismatches = vec![Mismatch::new("statement", "an answer", reason)];
                return Ok(Outcome { mismatches, evidence: asked, ..Outcome::default() });
            }
        };
        self.judge(answer, started.elapsed(), asked, stage)
    }
}

impl Sql {
    fn judge(&self, answer: Answer, latency: Duration, mut asked: Json, stage: &Stage<'_>) -> Result<Outcome, Halt> {
        let scope = &stage.scope;
        let count = answer.changed.unwrap_or(answer.rows.len() as u64);
        let shown: Json = answer.rows.iter().take(EVIDENCE_ROWS_MAX).cloned().collect();
        let mut outcome = Outcome::default();
        outcome.mismatches.extend(check_count("rows", self.expect.rows.as_ref(), count, scope)?);
        outcome.mismatches.extend(check_latency(&self.expect, latency));
        check_list(&self.expect, &self.captures, &Json::Array(answer.rows), None, scope, &mut outcome)?;
        asked["rows"] = shown;
        asked["count"] = count.into();
        outcome.evidence = asked;
        Ok(outcome)
    }
}

/// The database file. What the subject made below its folders is followed only while it stays there.
fn file(room: &Room, written: &str) -> Result<PathBuf, String> {
    let path = room.data_dir.join(written);
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("`{written}` leads upwards"));
    }
    let real = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
    for base in [&room.data_dir, &room.root] {
        let is_outside = || base.canonicalize().is_ok_and(|base| !real.starts_with(base));
        if path.starts_with(base) && is_outside() {
            return Err(format!("{} leads out of the subject's folders", path.display()));
        }
    }
    Ok(real)
}

/// Collects rows up to the bounds.
#[derive(Default)]
struct Rows {
    rows: Vec<Json>,
    bytes: usize,
}

impl Rows {
    fn push(&mut self, row: Map<String, Json>) -> Result<(), Refusal> {
        let row = Json::Object(row);
        self.bytes += row.to_string().len();
        if self.rows.len() == ROWS_MAX || self.bytes > BYTES_MAX {
            let words =
                format!("more than {ROWS_MAX} rows or {BYTES_MAX} bytes; add a `limit`, or count in the statement");
            return Err(Refusal::Refused(words));
        }
        self.rows.push(row);
        Ok(())
    }
}

/// Two columns of one name cannot stand in one object.
fn check_names(names: &[String]) -> Result<(), Refusal> {
    let twice = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name));
    match twice {
        Some((_, name)) => Err(Refusal::Refused(format!("two columns named `{name}`; name them with `as`"))),
        None => Ok(()),
    }
}

/// The line of the statement where it is wrong, with a caret. `offset` is in bytes.
fn pointed(message: String, query: &str, offset: Option<usize>) -> String {
    let Some(before) = offset.and_then(|offset| query.get(..offset)) else { return message };
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = query[start..].lines().next().unwrap_or_default();
    let column = before[start..].chars().count();
    format!("{message}\n  {line}\n  {}^", " ".repeat(column))
}

#[cfg(test)]
mod tests {
    use super::pointed;

    #[test]
    fn a_place_in_a_statement_is_shown_in_its_line() {
        let query = "select ä,\n  nope\nfrom t";
        let offset = query.find("nope");
        assert_eq!(pointed("no column".to_owned(), query, offset), "no column\n    nope\n    ^");
        assert_eq!(pointed("wrong".to_owned(), query, Some(999)), "wrong");
        assert_eq!(pointed("end".to_owned(), "a", Some(1)), "end\n  a\n   ^");
    }
}
