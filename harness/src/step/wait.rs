//! `wait`: lets time pass, or waits until something holds. Prefer the second, which waits no longer than needed.

use std::{net::Ipv4Addr, time::Duration};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Captures, Halt, Kind, Outcome, Stage, Step,
    files::{self, Found},
    stream::{check_path, on_subject},
};
use crate::{
    expect::{Mismatch, compile_regex, shown},
    scenario::{LintCode, Lower},
    subject::{root_cause, whole},
    text::{Node, Period, Placed, RenderError, Text},
};

/// How the kind stands in files.
pub(super) const KIND: Kind = Kind {
    name: "wait",
    needs: &[],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, lower| self::lower(parts.file.wait?, lower),
};

/// What a condition can use besides the values of the trial: `{{ live.calls.stripe >= 2 }}`.
pub(crate) const LIVE: &str = "live";

const WAIT_MAX: Duration = Duration::from_mins(1);
const EVERY_DEFAULT: Duration = Duration::from_millis(20);
const EVERY_MIN: Duration = Duration::from_millis(1);

/// `for` a time, or one of until, port, file, http, log and ended, with `within`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitFile {
    /// At most 60s.
    #[serde(default, rename = "for")]
    period: Option<Placed<Period>>,
    /// A condition. It also knows `live.calls.TWIN` and `live.requests` (counts), `live.elapsed_ms` (since the first
    /// step) and `live.log` (the subject's log).
    #[serde(default)]
    until: Option<Text>,
    /// A port of this machine takes connections.
    #[serde(default)]
    port: Option<Node>,
    /// A file is there, in the subject's tree or below `{{ data_dir }}`.
    #[serde(default)]
    file: Option<Text>,
    /// A path of the subject answers 2xx.
    #[serde(default)]
    http: Option<Text>,
    /// A regular expression that matches somewhere in the subject's log.
    #[serde(default)]
    log: Option<Text>,
    /// The subject has ended by itself.
    #[serde(default)]
    ended: Option<bool>,
    /// How long at most, up to 60s. The step fails after it.
    #[serde(default)]
    within: Option<Placed<Period>>,
    /// How often to look. Default 20ms, at least 1ms.
    #[serde(default)]
    every: Option<Placed<Period>>,
}

#[derive(Debug)]
enum Wait {
    For(Duration),
    Until { sign: Sign, within: Duration, every: Duration },
}

#[derive(Debug)]
enum Sign {
    Condition(Text),
    Port(Node),
    File(Text),
    Http(Text),
    Log(Text),
    Ended,
}

/// What a look saw.
enum Seen {
    It,
    Instead(String),
}

fn lower(file: Placed<WaitFile>, lower: &mut Lower<'_>) -> Option<Box<dyn Step>> {
    let place = file.place;
    let WaitFile { period, until, port, file, http, log, ended, within, every } = file.value;
    let mut signs: Vec<Sign> = [
        until.map(Sign::Condition),
        port.map(Sign::Port),
        file.map(Sign::File),
        http.map(Sign::Http),
        log.map(Sign::Log),
        ended.map(|_| Sign::Ended),
    ]
    .into_iter()
    .flatten()
    .collect();
    if signs.len() + usize::from(period.is_some()) != 1 || ended == Some(false) {
        let message = "a wait has one of for, until, port, file, http, log and `ended: true`";
        lower.refuse(LintCode::StepKind, place, message);
        return None;
    }
    if let Some(period) = period {
        if within.is_some() || every.is_some() {
            lower.refuse(LintCode::StepKind, place, "`within` and `every` belong to a wait for something");
        }
        return Some(Box::new(Wait::For(lower.period(Some(&period), Duration::ZERO, WAIT_MAX))));
    }
    if within.is_none() {
        let hint = "add `within: 5s`, say; a wait without an end would hang";
        lower.refuse_with(LintCode::BadLimit, place, "how long to wait at most is not said", hint);
    }
    let within = lower.period(within.as_ref(), WAIT_MAX, WAIT_MAX);
    let every = lower.period(every.as_ref(), EVERY_DEFAULT, WAIT_MAX).max(EVERY_MIN);
    let sign = signs.pop()?;
    sign.check(lower);
    Some(Box::new(Wait::Until { sign, within, every }))
}

#[async_trait]
impl Step for Wait {
    fn kind(&self) -> &'static str {
        "wait"
    }

    fn title(&self) -> String {
        match self {
            Self::For(period) => format!("wait {}", Period(*period)),
            Self::Until { sign, .. } => format!("wait for {}", sign.words()),
        }
    }

    fn asserts(&self) -> bool {
        matches!(self, Self::Until { .. })
    }

    fn needs_subject(&self) -> bool {
        matches!(self, Self::Until { sign: Sign::Http(_) | Sign::Log(_) | Sign::Ended, .. })
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let (sign, within, every) = match self {
            Self::For(period) => {
                sleep(stage.actor.patience.grant(*period)).await;
                return Ok(Outcome::default());
            }
            Self::Until { sign, within, every } => (sign, *within, *every),
        };
        let started = Instant::now();
        let deadline = started + stage.actor.patience.grant(within);
        let mut looks = 0;
        let mut last_seen = "no answer".to_owned();
        loop {
            looks += 1;
            // A look that is cut off saw nothing new.
            let seen = match timeout_at(deadline.max(started + every), sign.look(stage)).await {
                Ok(seen) => seen?,
                Err(_) => Seen::Instead(last_seen.clone()),
            };
            let mut outcome = Outcome::default();
            match seen {
                Seen::Instead(observed) if Instant::now() + every < deadline => {
                    last_seen = observed;
                    sleep(every).await;
                    continue;
                }
                Seen::Instead(observed) => {
                    let expected = format!("{} within {}", sign.words(), Period(within));
                    outcome.mismatches.push(Mismatch::new("wait", expected, observed));
                }
                Seen::It => {}
            }
            let waited_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            outcome.evidence = json!({ "waited_for": sign.words(), "waited_ms": waited_ms, "looks": looks });
            return Ok(outcome);
        }
    }
}

impl Sign {
    fn check(&self, lower: &mut Lower<'_>) {
        match self {
            Self::Http(path) => check_path(path, lower),
            Self::Log(pattern) if !pattern.contains("{{") => {
                if let Err(reason) = compile_regex(pattern) {
                    lower.refuse(LintCode::BadExpectation, pattern.place, reason);
                }
            }
            Self::Condition(text) if !text.contains("{{") => {
                let hint = "write an expression, like \"{{ live.calls.stripe >= 1 }}\"";
                lower.refuse_with(LintCode::BadExpectation, text.place, "the condition never changes", hint);
            }
            Self::Condition(_) | Self::Port(_) | Self::File(_) | Self::Log(_) | Self::Ended => {}
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Condition(text) => format!("`{}`", text.value),
            Self::Port(port) => format!("port {}", port.written()),
            Self::File(path) => format!("the file {}", path.value),
            Self::Http(path) => format!("`GET {}` to answer 2xx", path.value),
            Self::Log(pattern) => format!("the log to match `{}`", pattern.value),
            Self::Ended => "the subject to end".to_owned(),
        }
    }

    async fn look(&self, stage: &mut Stage<'_>) -> Result<Seen, Halt> {
        let scope = &stage.scope;
        Ok(match self {
            Self::Condition(text) => condition(text, stage)?,
            Self::Port(node) => {
                let written = scope.node(node)?;
                let number = written.as_u64().or_else(|| written.as_str()?.parse().ok());
                let port = number.and_then(|port| u16::try_from(port).ok()).ok_or_else(|| RenderError {
                    place: node.place,
                    message: format!("{} is no port", shown(&written)),
                })?;
                let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
                connected.map_or_else(|error| Seen::Instead(error.to_string()), |_| Seen::It)
            }
            Self::File(path) => match files::read(stage.room, "".as_ref(), &scope.text(path)?) {
                Found::Content(_) => Seen::It,
                Found::Nothing => Seen::Instead("nothing there".to_owned()),
                Found::Refused(reason) => Seen::Instead(reason),
            },
            Self::Http(path) => {
                let base =
                    stage.subject.base_url().ok_or_else(|| Halt::Infra("the scenario has no subject".to_owned()))?;
                let url = on_subject(base, path, scope)?;
                match stage
                    .actor
                    .clients
                    .of(&url)
                    .map_err(Halt::Infra)?
                    .get(url)
                    .header("connection", "close")
                    .send()
                    .await
                {
                    Ok(answer) if answer.status().is_success() => Seen::It,
                    Ok(answer) => Seen::Instead(format!("status {}", answer.status().as_u16())),
                    Err(error) => Seen::Instead(root_cause(&error)),
                }
            }
            Self::Log(pattern) => {
                let compiled = compile_regex(&scope.text(pattern)?);
                let regex = compiled.map_err(|message| RenderError { place: pattern.place, message })?;
                if regex.is_match(&whole(&stage.room.log)) {
                    Seen::It
                } else {
                    Seen::Instead("no such line".to_owned())
                }
            }
            Self::Ended => match stage.subject.exit() {
                Some(_) => Seen::It,
                None => Seen::Instead("it runs".to_owned()),
            },
        })
    }
}

fn condition(text: &Text, stage: &Stage<'_>) -> Result<Seen, Halt> {
    let calls = stage.world.call_counts()?.into_iter();
    let calls: serde_json::Map<_, _> = calls.map(|(twin, count)| (twin, count.into())).collect();
    let elapsed_ms = u64::try_from(stage.session.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut live = json!({ "calls": calls, "requests": stage.session.requests, "elapsed_ms": elapsed_ms });
    if text.contains("log") {
        live["log"] = whole(&stage.room.log).into();
    }
    let mut scope = stage.scope.clone();
    scope.set_json(LIVE, &live);
    let node = Node::at(text.place, crate::text::NodeKind::Text(text.value.clone()));
    match scope.node(&node)? {
        Json::Bool(true) => Ok(Seen::It),
        Json::Bool(false) => {
            live.as_object_mut().map(|live| live.remove("log"));
            Ok(Seen::Instead(format!("false, with live = {live}")))
        }
        other => {
            let message = format!("a condition is true or false; this is {}", shown(&other));
            Err(RenderError { place: text.place, message }.into())
        }
    }
}
