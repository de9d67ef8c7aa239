//! Recordings of a real service: made by passing requests on and writing down what came back, without secrets; played
//! back by what a request asks, never by its place in the order.
//!
//! A twin that plays a recording never asks the service, and never makes an answer up: what was not recorded is
//! refused, with the nearest recording and how it differs. Start at [`Tape`]; `key` is what counts of a request,
//! `exchange` the file, `redact` what never gets into it.

pub(crate) mod exchange;
mod key;
mod redact;
mod replay;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use url::Url;

use self::{exchange::Exchange, redact::Redactor, replay::Recordings};
use crate::http::{Reply, Request};

/// `record` of a twin's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordConfig {
    /// The real service: what stands before the path, without a slash at the end.
    upstream: Url,
    /// Must not exist yet.
    file: PathBuf,
    /// Patterns of what else must not be written down.
    #[serde(default)]
    redact: Vec<String>,
}

/// `replay` of a twin's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayConfig {
    file: PathBuf,
    /// What was redacted besides the usual when it was recorded.
    #[serde(default)]
    redact: Vec<String>,
    /// Patterns of what differs from run to run: dates, paths of temporary folders.
    #[serde(default)]
    ignore: Vec<String>,
}

/// What a twin does with recordings.
#[derive(Clone, Default)]
pub(crate) enum Tape {
    #[default]
    Off,
    Recording(Recorder),
    Playing(Box<Recordings>),
}

#[derive(Clone)]
pub(crate) struct Recorder {
    upstream: Url,
    file: PathBuf,
    redactor: Redactor,
}

impl Tape {
    /// # Errors
    /// In words: both at once, a pattern or a file that cannot be used.
    pub(crate) fn open(record: Option<RecordConfig>, replay: Option<ReplayConfig>) -> Result<Self, String> {
        match (record, replay) {
            (None, None) => Ok(Self::Off),
            (Some(_), Some(_)) => Err("`record` and `replay` exclude each other; give one".to_owned()),
            (Some(record), None) => Recorder::open(record).map(Self::Recording),
            (None, Some(replay)) => Recordings::open(&replay).map(|open| Self::Playing(Box::new(open))),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Where requests go that are recorded.
    pub(crate) fn upstream(&self) -> Option<&Url> {
        match self {
            Self::Recording(recorder) => Some(&recorder.upstream),
            Self::Off | Self::Playing(_) => None,
        }
    }

    /// The recorded answer, or the one that is recorded now; none where the twin answers by itself.
    ///
    /// # Errors
    /// In words: nothing fitting was recorded, or the service could not be asked.
    pub(crate) fn answer(&mut self, request: &Request) -> Option<Result<Reply, String>> {
        match self {
            Self::Off => None,
            Self::Recording(recorder) => Some(recorder.write(request)),
            Self::Playing(recordings) => Some(recordings.answer(request)),
        }
    }
}

impl Recorder {
    fn open(config: RecordConfig) -> Result<Self, String> {
        if config.upstream.cannot_be_a_base() {
            return Err(format!("`{}` is no address; write it like https://api.example.com", config.upstream));
        }
        let file = config.file;
        if std::fs::metadata(&file).is_ok_and(|found| found.len() > 0) {
            return Err(format!("`{}` exists; delete it to record again", file.display()));
        }
        Ok(Self { upstream: config.upstream, file, redactor: Redactor::new(&config.redact)? })
    }

    fn write(&self, request: &Request) -> Result<Reply, String> {
        let asked = request.upstream.as_deref().ok_or("the service was not asked")?;
        let reply = asked.as_ref().map_err(|why| format!("cannot ask {}: {why}", self.upstream))?;
        let exchange = Exchange::of(request, reply, &self.redactor);
        append(&self.file, &exchange).map_err(|error| format!("cannot write `{}`: {error}", self.file.display()))?;
        Ok(reply.clone())
    }
}

/// One document behind the others; JSON is YAML, too.
fn append(file: &Path, exchange: &Exchange) -> std::io::Result<()> {
    let mut open = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    let text = serde_json::to_string_pretty(exchange)?;
    open.write_all(format!("---\n{text}\n").as_bytes())
}
