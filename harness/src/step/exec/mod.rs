//! `exec`: a command against the subject's tree, for subjects that are command lines. With `pty`, on a terminal.

mod terminal;

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use self::terminal::{PtyFile, TerminalPlan, TurnFile};
use super::{
    Captures, Halt, Kind, Outcome, Stage, Step,
    capture::{CaptureRule, capture},
    document::{Around, check_document, check_document_rules, check_latency},
    files::{self, Found},
};
use crate::{
    expect::{Material, Mismatch, cut},
    record::EVIDENCE_BODY_BYTES_MAX,
    scenario::{Expect, LintCode, Lower},
    subject::{ExecOutput, ExecRequest, Exit, LaunchError, Terminal, TerminalOutput, TreeAccess},
    text::{Entries, Period, Placed, Text},
};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_mins(10);
const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024; // of each stream

pub(super) const KIND: Kind = Kind {
    name: "exec",
    needs: &[],
    takes: &[],
    expects: &[
        "exit",
        "stdout",
        "stderr",
        "screen",
        "files",
        "json",
        "json_exact",
        "jsonpath",
        "json_schema",
        "checks",
        "max_latency",
    ],
    captures: Captures::Values,
    lower: |parts, lower| Some(self::lower(parts.file.exec?, parts.expect, parts.captures, lower)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecFile {
    argv: Vec<Text>,
    /// All of the input; on a terminal it is typed first.
    #[serde(default)]
    stdin: Option<Text>,
    /// Run it on a terminal of its own. `stdout` is then what it prints, without escape sequences.
    #[serde(default)]
    pty: Option<PtyFile>,
    /// With `pty`: what to wait for and what to type, in this order.
    #[serde(default, rename = "type")]
    turns: Vec<Placed<TurnFile>>,
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
    terminal: Option<TerminalPlan>,
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
    check_document_rules(&expect, &captures, Around::Nothing, lower);
    let ExecFile { argv, stdin, pty, turns, env, cwd, .. } = file.value;
    let terminal = terminal::lower(pty, turns, lower);
    if terminal.is_none() && expect.screen.is_some() {
        lower.refuse(LintCode::BadExpectation, expect.place, "a `screen` needs a terminal: add `pty: {}`");
    }
    let cwd = cwd.map_or_else(PathBuf::new, |cwd| cwd.value);
    Box::new(Exec { argv, stdin, terminal, env, cwd, timeout, expect: expect.value, captures })
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
            egress: stage.ports(),
            stdin: stdin.into_bytes(),
            timeout: self.timeout,
            output_bytes_max: OUTPUT_BYTES_MAX,
        };
        let terminal = self.terminal.as_ref().map(|plan| plan.terminal(scope)).transpose()?;
        let launcher = stage.actor.launcher;
        let left = match &terminal {
            None => launcher.exec(request).await.map(Left::plain),
            Some(terminal) => {
                let left = launcher.exec_on_terminal(request, terminal.clone()).await;
                left.map(|left| Left::on_terminal(terminal, left))
            }
        };
        match left {
            Ok(mut left) => {
                stage.subject.note_leaks(std::mem::take(&mut left.output.leaks));
                self.judge(&argv, &left, stage)
            }
            Err(error @ LaunchError::Subject { .. }) => {
                Err(Halt::Failed(Mismatch::new("command", "to start", error.to_string())))
            }
            Err(error) => Err(Halt::Infra(error.to_string())),
        }
    }
}

/// What a command left, on a terminal or not.
struct Left {
    output: ExecOutput,
    screen: Option<String>,
    /// A dialogue that did not come to its end.
    stuck: Option<Mismatch>,
}

impl Left {
    fn plain(output: ExecOutput) -> Self {
        Self { output, screen: None, stuck: None }
    }

    fn on_terminal(terminal: &Terminal, left: TerminalOutput) -> Self {
        let stuck = terminal::unanswered(terminal, &left);
        Self { output: left.output, screen: Some(left.screen), stuck }
    }
}

impl Exec {
    fn judge(&self, argv: &[String], left: &Left, stage: &Stage<'_>) -> Result<Outcome, Halt> {
        let (output, scope) = (&left.output, &stage.scope);
        let [stdout, stderr] =
            [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let mut outcome = Outcome { evidence: evidence(argv, left, &stdout, &stderr), ..Outcome::default() };
        let found = &mut outcome.mismatches;
        match &left.stuck {
            // How it ended says nothing then: it was killed for it.
            Some(stuck) => found.push(stuck.clone()),
            None => found.extend(self.check_exit(output.exit, &stderr)),
        }
        if output.truncated {
            let words = format!("at most {OUTPUT_BYTES_MAX} bytes in each stream, read to their end");
            found.push(Mismatch::new("output", words, "more; nothing of the rest was kept"));
        }
        let texts = [
            ("stdout", Some(stdout.as_str()), &self.expect.stdout),
            ("stderr", Some(stderr.as_str()), &self.expect.stderr),
            ("screen", left.screen.as_deref(), &self.expect.screen),
        ];
        for (name, text, predicates) in texts {
            if let Some(predicates) = predicates {
                found.extend(predicates.check_text(name, text, scope)?);
            }
        }
        let material = Material::bytes(&output.stdout);
        found.extend(check_document(&self.expect, &material, scope)?);
        found.extend(check_latency(&self.expect, output.duration));
        found.extend(self.check_files(stage)?);
        capture(&self.captures, &material, scope, &mut outcome)?;
        Ok(outcome)
    }

    fn check_exit(&self, exit: Exit, stderr: &str) -> Option<Mismatch> {
        let wanted = Exit::Code(self.expect.exit.unwrap_or(0));
        let observed = match stderr.trim() {
            "" => exit.to_string(),
            words => format!("{exit}, stderr: {}", cut(words.to_owned(), 500)),
        };
        (exit != wanted).then(|| Mismatch::new("exit", wanted.to_string(), observed))
    }

    fn check_files(&self, stage: &Stage<'_>) -> Result<Vec<Mismatch>, Halt> {
        let mut found = Vec::new();
        for (path, check) in self.expect.files.iter() {
            let path = stage.scope.text(path)?;
            match files::read(stage.room, &self.cwd, &path) {
                Found::Content(bytes) => found.extend(check.check(&path, Some(&bytes), &stage.scope)?),
                Found::Nothing => found.extend(check.check(&path, None, &stage.scope)?),
                Found::Refused(reason) => found.push(Mismatch::new(format!("file {path}"), "a readable file", reason)),
            }
        }
        Ok(found)
    }
}

fn evidence(argv: &[String], left: &Left, stdout: &str, stderr: &str) -> Json {
    let shown = |text: &str| cut(text.to_owned(), EVIDENCE_BODY_BYTES_MAX);
    let output = &left.output;
    let mut evidence = json!({
        "argv": argv, "exit": output.exit, "stdout": shown(stdout), "stderr": shown(stderr), "truncated": output.truncated,
    });
    if let Some(screen) = &left.screen {
        evidence["screen"] = shown(screen).into();
    }
    evidence
}
