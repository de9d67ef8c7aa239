//! JSON Lines: one event a line as the run goes, each flushed before the trial counts. A finished trial's line is what
//! a resumed run reads back.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    record::{StepRecord, TrialId, TrialRecord},
    run::{Observer, ObserverError},
};

const LINE_BYTES_MAX: usize = 64 * 1024 * 1024; // above the largest record: steps × evidence

/// Writes the events of a run to a file.
#[derive(Debug)]
pub struct JsonLines(Mutex<File>);

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Event<'a> {
    TrialStarted { trial: &'a TrialId },
    StepFinished { trial: &'a TrialId, step: &'a StepRecord },
    TrialFinished { record: &'a TrialRecord },
}

#[derive(Deserialize)]
struct Line {
    event: String,
    record: Option<TrialRecord>,
}

impl JsonLines {
    /// # Errors
    /// Where the file cannot be made. What was in it is kept, so that a resumed run appends.
    pub fn append_to(path: &Path) -> std::io::Result<Self> {
        File::options().create(true).append(true).open(path).map(|file| Self(Mutex::new(file)))
    }

    /// The finished trials of an earlier run. A torn last line (the writer was killed) is passed over.
    ///
    /// # Errors
    /// Where the file cannot be read, or a whole line is no event.
    pub fn read(path: &Path) -> std::io::Result<Vec<TrialRecord>> {
        let mut records = Vec::new();
        let mut reader = BufReader::new(File::open(path)?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            if line.len() > LINE_BYTES_MAX {
                return Err(std::io::Error::other("a line is too long to be an event of a run"));
            }
            match serde_json::from_slice::<Line>(&line) {
                Ok(Line { event, record }) if event == "trial_finished" => records.extend(record),
                Ok(_) => {}
                Err(_) if !line.ends_with(b"\n") => {}
                Err(error) => return Err(error.into()),
            }
            line.clear();
        }
        Ok(records)
    }

    fn write(&self, event: &Event<'_>) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        // One write per line: a reader that follows the file sees whole lines.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
    }
}

#[async_trait]
impl Observer for JsonLines {
    async fn trial_started(&self, trial: &TrialId) {
        // What a full disk loses here is progress, not results; the record below is checked.
        self.write(&Event::TrialStarted { trial }).ok();
    }

    async fn step_finished(&self, trial: &TrialId, step: &StepRecord) {
        self.write(&Event::StepFinished { trial, step }).ok();
    }

    async fn trial_finished(&self, record: &TrialRecord) -> Result<(), ObserverError> {
        self.write(&Event::TrialFinished { record })?;
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_data().map_err(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::JsonLines;
    use crate::{report::samples, run::Observer as _};

    #[tokio::test]
    async fn finished_trials_are_read_back_and_a_torn_line_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.jsonl");
        let record = samples::record("a", 1, crate::record::Verdict::Unsatisfied);
        let lines = JsonLines::append_to(&path).unwrap();
        lines.trial_started(&record.id()).await;
        lines.trial_finished(&record).await.unwrap();
        std::fs::File::options().append(true).open(&path).unwrap().write_all(b"{\"event\":\"trial_fin").unwrap();
        assert_eq!(JsonLines::read(&path).unwrap(), [record]);
    }

    #[test]
    fn a_file_that_holds_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.jsonl");
        std::fs::write(&path, "hello\n").unwrap();
        assert!(JsonLines::read(&path).is_err());
    }
}
