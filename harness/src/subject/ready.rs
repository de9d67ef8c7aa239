//! Waiting until a subject can be used.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::Url;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};

use crate::text::Period;

use super::{ExecRequest, Exit, LaunchRequest, Launcher, ReadyCheck, Running, TreeAccess, config::ReadySign, log};

const PROBE_EVERY_MIN: Duration = Duration::from_millis(2); // a fast subject must not wait for us
const PROBE_EVERY_MAX: Duration = Duration::from_millis(50);
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30); // of one probe; the whole has its own limit
const COMMAND_OUTPUT_BYTES_MAX: usize = 4 * 1024; // a message

/// Why a subject cannot be used. It is the subject's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotReady {
    pub(crate) expected: String,
    pub(crate) observed: String,
}

/// Probes until the sign is there, the subject ends, or the time is over.
pub(crate) async fn wait_ready(
    running: &mut dyn Running,
    check: &ReadyCheck,
    request: &LaunchRequest,
    http: &reqwest::Client,
    launcher: &dyn Launcher,
) -> Result<(), NotReady> {
    let deadline = Instant::now() + check.within;
    let expected = format!("{} within {}", check.sign.words(), Period(check.within));
    let mut pause = PROBE_EVERY_MIN;
    if matches!(check.sign, ReadySign::Nothing) {
        return Ok(());
    }
    loop {
        if let Some(exit) = running.try_exit() {
            return Err(ended(expected, &exit));
        }
        let base = running.base_url();
        let probe = match &check.sign {
            ReadySign::Command(argv) => timeout_at(deadline, command(argv, request, launcher)).await,
            sign => timeout_at(deadline, probe(&base, sign, http, &request.log)).await,
        };
        let seen = match probe {
            // Whoever answered may be another one, where the subject died of a port that is taken.
            Ok(Ok(())) => match running.try_exit() {
                None => return Ok(()),
                Some(exit) => return Err(ended(expected, &exit)),
            },
            Ok(Err(seen)) => seen,
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() + pause >= deadline {
            return Err(NotReady { expected, observed: seen });
        }
        sleep(pause).await;
        pause = (pause * 2).min(PROBE_EVERY_MAX);
    }
}

fn ended(expected: String, exit: &str) -> NotReady {
    NotReady { expected, observed: format!("the subject ended early with {exit}") }
}

/// `Err` says what was seen instead.
async fn probe(base: &Url, sign: &ReadySign, http: &reqwest::Client, log: &Path) -> Result<(), String> {
    match sign {
        ReadySign::Tcp => {
            let address = (base.host_str().unwrap_or("127.0.0.1"), base.port_or_known_default().unwrap_or(80));
            TcpStream::connect(address).await.map(drop).map_err(|error| error.to_string())
        }
        ReadySign::Http(path) => {
            let url = base.join(path).map_err(|error| error.to_string())?;
            // Connections of a probe are not kept: the subject may still be forking or re-binding.
            let answer = http.get(url).header("connection", "close").send().await;
            let status = answer.map_err(|error| root_cause(&error))?.status();
            if status.is_success() { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
        }
        ReadySign::Log(pattern) => {
            let found = pattern.is_match(&log::whole(log));
            if found { Ok(()) } else { Err("no such line in the log".to_owned()) }
        }
        ReadySign::Command(_) | ReadySign::Nothing => Ok(()),
    }
}

/// One run of the command that knows whether the subject is ready.
async fn command(argv: &[String], request: &LaunchRequest, launcher: &dyn Launcher) -> Result<(), String> {
    let request = ExecRequest {
        argv: argv.to_vec(),
        env: request.env.clone(),
        env_allow: request.env_allow.clone(),
        root: request.root.clone(),
        access: TreeAccess::ReadOnly,
        cwd: PathBuf::new(),
        data_dir: request.data_dir.clone(),
        egress: request.egress.iter().copied().chain([request.port]).collect(),
        stdin: Vec::new(),
        timeout: COMMAND_TIMEOUT,
        output_bytes_max: COMMAND_OUTPUT_BYTES_MAX,
    };
    let output = launcher.exec(request).await.map_err(|error| error.to_string())?;
    match output.exit {
        Exit::Code(0) => Ok(()),
        exit => Err(format!("{exit} {}", String::from_utf8_lossy(&output.stderr).trim()).trim_end().to_owned()),
    }
}

/// The innermost message: "connection refused" rather than "error sending request".
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

impl ReadySign {
    fn words(&self) -> String {
        match self {
            Self::Http(path) => format!("`GET {path}` to answer 2xx"),
            Self::Tcp => "the port to take connections".to_owned(),
            Self::Log(pattern) => format!("the log to match `{pattern}`"),
            Self::Command(argv) => format!("`{}` to end with exit code 0", argv.join(" ")),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}
