//! `exec`: a command against the subject's tree, for subjects that are command lines.

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    Captures, Halt, Kind, Outcome, Stage, Step,
    capture::{CaptureRule, Material, capture},
    http::{check_json, check_latency},
};
use crate::{
    expect::{Mismatch, cut},
    record::EVIDENCE_BODY_BYTES_MAX,
    scenario::{Expect, LintCode, Lower},
    subject::{ExecOutput, ExecRequest, Exit, LaunchError, TreeAccess},
    text::{Entries, Period, Placed, Text},
};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_mins(10);
const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024; // of each stream

pub(super) const KIND: Kind = Kind {
    name: "exec",
    needs: &[],
    takes: &[],
    expects: &["exit", "stdout", "stderr", "json", "json_exact", "jsonpath", "max_latency"],
    captures: Captures::Values,
    lower: |parts, lower| Some(self::lower(parts.file.exec?, parts.expect, parts.captures, lower)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecFile {
    argv: Vec<Text>,
    #[serde(default)]
    stdin: Option<Text>,
    #[serde(default)]
    env: Entries<Text>,
    /// Relative to the subject's tree, never outside of it. Default: its root.
    #[serde(default)]
    cwd: Option<Placed<PathBuf>>,
    /// Default 10s, at most 10m.
    #[serde(default)]
    timeout: Option<Placed<Period>>,
}

#[derive(Debug)]
struct Exec {
    argv: Vec<Text>,
    stdin: Option<Text>,
    env: Entries<Text>,
    cwd: PathBuf,
    timeout: Duration,
    expect: Expect,
    captures: Entries<CaptureRule>,
}

pub(crate) fn lower(
    file: Placed<ExecFile>,
    expect: Placed<Expect>,
    captures: Entries<CaptureRule>,
    lower: &mut Lower<'_>,
) -> Box<dyn Step> {
    let timeout = lower.period(file.timeout.as_ref(), TIMEOUT_DEFAULT, TIMEOUT_MAX);
    if file.argv.is_empty() {
        lower.refuse(LintCode::StepKind, file.place, "the command is empty");
    }
    if let Some(cwd) = file.cwd.as_ref().filter(|cwd| !stays_inside(cwd)) {
        lower.refuse(LintCode::BadPath, cwd.place, "the folder must be inside the subject's tree");
    }
    let ExecFile { argv, stdin, env, cwd, .. } = file.value;
    let cwd = cwd.map_or_else(PathBuf::new, |cwd| cwd.value);
    Box::new(Exec { argv, stdin, env, cwd, timeout, expect: expect.value, captures })
}

fn stays_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

#[async_trait]
impl Step for Exec {
    fn kind(&self) -> &'static str {
        "exec"
    }

    fn title(&self) -> String {
        let words = self.argv.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(" ");
        format!("exec {}", cut(words, 60))
    }

    fn asserts(&self) -> bool {
        !self.expect.is_empty()
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let scope = &stage.scope;
        let argv: Vec<_> = self.argv.iter().map(|word| scope.text(word)).collect::<Result<_, _>>()?;
        let stdin = self.stdin.as_ref().map_or_else(|| Ok(String::new()), |stdin| scope.text(stdin))?;
        let env = self.env.iter().map(|(name, value)| Ok((name.value.clone(), scope.text(value)?)));
        let env = env.collect::<Result<_, Halt>>()?;
        let request = ExecRequest {
            argv: argv.clone(),
            env,
            env_allow: stage.room.env_allow.clone(),
            root: stage.room.root.clone(),
            access: TreeAccess::ReadOnly,
            cwd: self.cwd.clone(),
            data_dir: stage.room.data_dir.clone(),
            egress: stage.world.ports(),
            stdin: stdin.into_bytes(),
            timeout: self.timeout,
            output_bytes_max: OUTPUT_BYTES_MAX,
        };
        match stage.actor.launcher.exec(request).await {
            Ok(output) => self.judge(&argv, &output, stage),
            Err(error @ LaunchError::Subject { .. }) => {
                Err(Halt::Failed(Mismatch::new("command", "to start", error.to_string())))
            }
            Err(error) => Err(Halt::Infra(error.to_string())),
        }
    }
}

impl Exec {
    fn judge(&self, argv: &[String], output: &ExecOutput, stage: &Stage<'_>) -> Result<Outcome, Halt> {
        let scope = &stage.scope;
        let [stdout, stderr] =
            [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let mut outcome = Outcome { evidence: evidence(argv, output, &stdout, &stderr), ..Outcome::default() };
        let found = &mut outcome.mismatches;
        let wanted = Exit::Code(self.expect.exit.unwrap_or(0));
        if output.exit != wanted {
            let observed = match stderr.trim() {
                "" => output.exit.to_string(),
                words => format!("{}, stderr: {}", output.exit, cut(words.to_owned(), 500)),
            };
            found.push(Mismatch::new("exit", wanted.to_string(), observed));
        }
        for (name, text, predicates) in
            [("stdout", &stdout, &self.expect.stdout), ("stderr", &stderr, &self.expect.stderr)]
        {
            if let Some(predicates) = predicates {
                found.extend(predicates.check_text(name, Some(text), scope)?);
            }
        }
        let parsed: Result<Json, _> = serde_json::from_slice(&output.stdout);
        found.extend(check_json(&self.expect, parsed.as_ref().map_err(ToString::to_string), &stdout, scope)?);
        found.extend(check_latency(&self.expect, output.duration));
        let material = Material { json: parsed.as_ref().ok(), text: &stdout, ..Material::default() };
        capture(&self.captures, &material, scope, &mut outcome)?;
        Ok(outcome)
    }
}

fn evidence(argv: &[String], output: &ExecOutput, stdout: &str, stderr: &str) -> Json {
    let shown = |text: &str| cut(text.to_owned(), EVIDENCE_BODY_BYTES_MAX);
    json!({
        "argv": argv, "exit": output.exit, "stdout": shown(stdout), "stderr": shown(stderr), "truncated": output.truncated,
    })
}
