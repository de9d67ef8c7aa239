//! What a run was asked for, as far as its stored form does not say it elsewhere: read back when it is resumed.

use std::{collections::BTreeSet, path::PathBuf};

use harness::{Kind, StopEarly, SubjectConfig, Suite, journal::Manifest};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{Failed, given::Given, load_suite, run::RunArgs};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) paths: Vec<PathBuf>,
    pub(super) subject: PathBuf,
    pub(super) holdout: bool,
    pub(super) target: Option<Url>,
    #[serde(default)]
    pub(super) origins: Vec<String>,
    pub(super) stop_early: bool,
    pub(super) fail_fast: bool,
    /// Names only: values may be secrets.
    pub(super) vars: Vec<String>,
    /// Those of them that are.
    #[serde(default)]
    pub(super) secrets: BTreeSet<String>,
}

impl Asked {
    pub(super) fn of(arguments: &RunArgs, given: &Given) -> Self {
        Self {
            paths: arguments.selection.paths.clone(),
            subject: arguments.selection.subject.clone(),
            holdout: arguments.selection.holdout,
            target: arguments.target.clone(),
            origins: arguments.allow_origin.clone(),
            stop_early: arguments.stop_early,
            fail_fast: arguments.fail_fast,
            vars: given.vars.keys().cloned().collect(),
            secrets: given.secrets.clone(),
        }
    }

    pub(super) fn read(manifest: &Manifest) -> Result<Self, Failed> {
        serde_json::from_value(manifest.asked.clone()).map_err(|_| {
            Failed::Use(format!("the run {} was not started by `harness run`; start a new run", manifest.id))
        })
    }

    /// The subject and all scenarios that were named, fitting each other.
    pub(super) fn load(&self) -> Result<(SubjectConfig, Suite), Failed> {
        let mut subject = self.load_subject()?;
        for origin in &self.origins {
            subject.allow_origin(origin).map_err(Failed::Use)?;
        }
        let kind = if self.holdout { Kind::Holdout } else { Kind::Visible };
        let suite = load_suite(&self.paths, &self.subject, kind, &self.vars, &subject)?;
        Ok((subject, suite))
    }

    /// What is at a URL needs no `harness.yaml`; where there is one, it tells how to reset it.
    fn load_subject(&self) -> Result<SubjectConfig, Failed> {
        let Some(url) = &self.target else { return Ok(SubjectConfig::load(&self.subject)?) };
        if self.subject.join("harness.yaml").exists() {
            return Ok(SubjectConfig::load(&self.subject)?.elsewhere(url.as_str()));
        }
        Ok(SubjectConfig::already_running(url.as_str()))
    }

    pub(super) fn check_vars(&self, given: &Given) -> Result<(), Failed> {
        let is_missing = |name: &&String| {
            !given.vars.contains_key(*name) || self.secrets.contains(*name) && !given.secrets.contains(*name)
        };
        let Some(name) = self.vars.iter().find(is_missing) else { return Ok(()) };
        let flag = if self.secrets.contains(name) { "--secret" } else { "--var" };
        Err(Failed::Use(format!(
            "this run was given a value for `{name}`, which is not stored; give it again with {flag} {name}=…"
        )))
    }

    pub(super) fn stop_early(&self) -> StopEarly {
        match (self.fail_fast, self.stop_early) {
            (true, _) => StopEarly::AtFirstFailure,
            (false, true) => StopEarly::WhenHopeless,
            (false, false) => StopEarly::Never,
        }
    }
}
