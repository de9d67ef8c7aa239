//! JSON Lines for other programs: one event a line as the run goes, each finished trial on disk before it counts. What a
//! run itself reads back is its log (`journal`).

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use serde::Serialize;

use crate::{
    record::{StepRecord, TrialId, TrialRecord},
    run::{Observer, ObserverError},
};

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

impl JsonLines {
    /// # Errors
    /// Where the file cannot be made. What was in it is kept, so that a resumed run appends.
    pub fn append_to(path: &Path) -> std::io::Result<Self> {
        File::options().create(true).append(true).open(path).map(|file| Self(Mutex::new(file)))
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
    use serde_json::{Value as Json, json};

    use super::JsonLines;
    use crate::{report::samples, run::Observer as _};

    #[tokio::test]
    async fn each_event_is_a_line_after_those_of_earlier_runs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.jsonl");
        let record = samples::record("a", 1, crate::record::Verdict::Unsatisfied);
        for _ in 0..2 {
            let lines = JsonLines::append_to(&path).unwrap();
            lines.trial_started(&record.id()).await;
            lines.trial_finished(&record).await.unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let events: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(names, ["trial_started", "trial_finished", "trial_started", "trial_finished"]);
        assert_eq!(events[3]["record"], json!(record));
    }
}
