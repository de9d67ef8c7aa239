//! What follows a run: the terminal, where standard error is one, the stored log and the file of events.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use harness::{
    Observer, ObserverError, StepRecord, TrialId, TrialRecord, Verdict,
    journal::RunLog,
    report::{Gallery, JsonLines},
};
use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far a run is, and keeps its records.
pub(super) struct Followers {
    bar: ProgressBar,
    failed: AtomicUsize,
    log: Option<RunLog>,
    lines: Option<JsonLines>,
    /// Trials to be shown in detail.
    gallery: Option<Mutex<Gallery>>,
}

impl Followers {
    pub(super) fn new(planned: u64, log: Option<RunLog>, lines: Option<JsonLines>, gallery: Option<Gallery>) -> Self {
        let style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} trials, {msg}{elapsed}").expect("a literal template");
        // Hidden by itself where standard error is no terminal.
        let bar = ProgressBar::new(planned).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, failed: AtomicUsize::new(0), log, lines, gallery: gallery.map(Mutex::new) }
    }

    pub(super) fn log(&self) -> Option<&RunLog> {
        self.log.as_ref()
    }

    pub(super) fn into_gallery(self) -> Gallery {
        let gallery = self.gallery.map(|gallery| gallery.into_inner().unwrap_or_else(PoisonError::into_inner));
        gallery.unwrap_or_default()
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

#[async_trait]
impl Observer for Followers {
    async fn trial_started(&self, trial: &TrialId) {
        if let Some(lines) = &self.lines {
            lines.trial_started(trial).await;
        }
    }

    async fn step_finished(&self, trial: &TrialId, step: &StepRecord) {
        if let Some(lines) = &self.lines {
            lines.step_finished(trial, step).await;
        }
    }

    async fn trial_finished(&self, record: &TrialRecord) -> Result<(), ObserverError> {
        if let Some(log) = &self.log {
            log.trial_finished(record).await?;
        }
        if let Some(lines) = &self.lines {
            lines.trial_finished(record).await?;
        }
        if let Some(gallery) = &self.gallery {
            gallery.lock().unwrap_or_else(PoisonError::into_inner).add(record);
        }
        if record.verdict != Verdict::Satisfied {
            let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
            self.bar.set_message(format!("{failed} not satisfied, "));
        }
        self.bar.inc(1);
        Ok(())
    }
}
